#include "service/http/admin_pages.h"

#include <utility>

#include <fmt/format.h>

namespace muster::http {
namespace {

std::string IndexPage(std::string_view title) {
  return fmt::format(
      "<!doctype html><html lang=\"en\"><title>{0}</title><h1>{0}</h1><ul>"
      "<li><a href=\"/metrics\">/metrics</a> for Prometheus"
      "<li><a href=\"/healthz\">/healthz</a> alive"
      "<li><a href=\"/readyz\">/readyz</a> takes work</ul></html>\n",
      title);
}

Answer Text(std::string body, std::string content_type) {
  Answer answer;
  answer.body = std::move(body);
  answer.content_type = std::move(content_type);
  return answer;
}

Answer ReadinessPage(Readiness readiness) {
  Answer answer;
  if (!readiness.ready) answer.status = 503;
  answer.body = readiness.ready ? "ready\n" : std::move(readiness.reason) + "\n";
  return answer;
}

}  // namespace

void AddAdminPages(Router& router, AdminPages pages) {
  router.Add(Method::kGet, "/metrics",
             [make = std::move(pages.metrics), type = std::move(pages.metrics_content_type)](std::string_view) mutable {
               return Text(make(), type);
             });
  router.Add(Method::kGet, "/healthz", [](std::string_view) { return AnswerOf(std::string("ok\n")); });
  router.Add(Method::kGet, "/readyz",
             [readiness = std::move(pages.readiness)](std::string_view) mutable { return ReadinessPage(readiness()); });
  router.Add(Method::kGet, "/",
             [index = IndexPage(pages.title)](std::string_view) { return Text(index, "text/html; charset=utf-8"); });
}

}  // namespace muster::http
