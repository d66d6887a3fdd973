#include "client/cli/admin_port.h"

#include <array>
#include <memory>
#include <utility>

#include <curl/curl.h>
#include <fmt/format.h>

namespace muster::cli {
namespace {

constexpr long kConnectSeconds = 10;
constexpr long kAnswerSeconds = 30;
constexpr std::size_t kBytesMax = 64 << 20;

std::size_t OnBody(char* data, std::size_t size, std::size_t count, void* target) {
  auto& body = *static_cast<std::string*>(target);
  if (body.size() + size * count > kBytesMax) return 0;
  body.append(data, size * count);
  return size * count;
}

int OnProgress(void* interrupt, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<const Interrupt*>(interrupt)->raised() ? 1 : 0;
}

}  // namespace

AdminPort::AdminPort(std::string address, const Interrupt& interrupt)
    : address_(std::move(address)), interrupt_(interrupt) {}

absl::StatusOr<AdminPort::Answer> AdminPort::Request(std::string_view path, bool post) {
  const std::size_t colon = address_.rfind(':');
  if (colon == 0 || colon == std::string::npos || address_.find('/') != std::string::npos) {
    return absl::InvalidArgumentError(fmt::format("'{}' is no host:port", address_));
  }
  const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> curl(curl_easy_init(), &curl_easy_cleanup);
  if (curl == nullptr) return absl::InternalError("libcurl gives no handle");
  const std::string url = fmt::format("http://{}{}", address_, path);
  std::array<char, CURL_ERROR_SIZE> error{};
  Answer answer;
  CURL* const handle = curl.get();
  curl_easy_setopt(handle, CURLOPT_URL, url.c_str());
  curl_easy_setopt(handle, CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http");
  curl_easy_setopt(handle, CURLOPT_PROXY, "");  // the port is on this machine or near it
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_CONNECTTIMEOUT, kConnectSeconds);
  curl_easy_setopt(handle, CURLOPT_TIMEOUT, kAnswerSeconds);
  curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, error.data());
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, &OnBody);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, &answer.body);
  curl_easy_setopt(handle, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, &OnProgress);
  curl_easy_setopt(handle, CURLOPT_XFERINFODATA, const_cast<Interrupt*>(&interrupt_));
  if (post) {
    curl_easy_setopt(handle, CURLOPT_POST, 1L);
    curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE, 0L);
  }
  const CURLcode done = curl_easy_perform(handle);
  if (interrupt_.raised()) return absl::CancelledError("interrupted");
  if (done == CURLE_URL_MALFORMAT) {
    return absl::InvalidArgumentError(fmt::format("'{}' is no host:port", address_));
  }
  if (done != CURLE_OK) return absl::UnavailableError(error[0] != '\0' ? error.data() : curl_easy_strerror(done));
  long status = 0;
  curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &status);
  answer.status = static_cast<int>(status);
  while (!answer.body.empty() && answer.body.back() == '\n') answer.body.pop_back();
  return answer;
}

std::string PathPart(std::string_view text) {
  std::string part;
  for (const char c : text) {
    const bool plain =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
    part += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return part;
}

}  // namespace muster::cli
