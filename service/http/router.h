// Which handler answers a request: a table of methods and paths that whoever starts a listener fills.
//
//   http::Router router;
//   router.Add(http::Method::kGet, "/healthz", [](std::string_view) { return http::Answer{.body = "ok\n"}; });
//   router.Add(http::Method::kPost, "/clock/advance/", [&](std::string_view rest) { ... });  // rest: "90s"
//
// Threading: filled by one thread, then used on the listener's alone. Handlers must not block for long.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

#include "service/base/function.h"

namespace muster::http {

enum class Method { kGet, kPost };  // what answers a GET answers a HEAD too

struct Answer {
  int status = 200;
  std::string body;
  std::string content_type = "text/plain; charset=utf-8";
};

// The text, or the status' message: NOT_FOUND is 404, INVALID_ARGUMENT 400, all else 503.
Answer AnswerOf(absl::StatusOr<std::string> text);

class Router {
 public:
  // `rest` is what follows the route's path, for one that ends in '/'.
  using Handler = base::UniqueFunction<Answer(std::string_view rest)>;

  // A path that ends in '/' stands for all that is below it, but for "/" itself. Of two routes that fit, the first.
  void Add(Method method, std::string path, Handler handler);

  // `path` without a query. 404 where no route fits.
  Answer Route(Method method, std::string_view path);

  // Whether there is any route for it.
  bool Takes(Method method) const;
  // "GET, HEAD", for the Allow header.
  std::string Allowed() const;

 private:
  struct Entry {
    Method method;
    std::string path;
    Handler handler;
  };

  Answer NotFound(Method method) const;

  std::vector<Entry> entries_;
};

}  // namespace muster::http
