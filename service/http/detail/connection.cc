#include "service/http/detail/connection.h"

#include <string_view>
#include <utility>

namespace muster::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using boost::system::error_code;

// How much of what a client still sends is read after the last answer.
constexpr std::size_t kDiscardedMax = 256 * 1024;

// What the router knows it as.
std::optional<Method> MethodOf(http::verb verb) {
  if (verb == http::verb::get || verb == http::verb::head) return Method::kGet;
  if (verb == http::verb::post) return Method::kPost;
  return std::nullopt;
}

}  // namespace

Connection::Connection(Connections& all, asio::io_context& context, const ListenerOptions& options, Router& router,
                       asio::ip::tcp::socket socket)
    : all_(all), options_(options), router_(router), stream_(std::move(socket)), end_(context) {
  buffer_.max_size(options_.header_bytes_max + 4096);
}

void Connection::Start(Connections::iterator at) {
  at_ = at;
  end_.expires_after(options_.connection_timeout);
  end_.async_wait([self = shared_from_this()](error_code error) {
    if (!error) self->Close();
  });
  Read();
}

void Connection::Close() {
  if (closed_) return;
  closed_ = true;
  end_.cancel();
  error_code ignored;
  stream_.socket().close(ignored);
  all_.erase(at_);  // may leave the pending handler as the last owner
}

void Connection::Read() {
  parser_.emplace();
  parser_->header_limit(options_.header_bytes_max);
  stream_.expires_after(options_.request_timeout);
  http::async_read_header(stream_, buffer_, *parser_,
                          [self = shared_from_this()](error_code error, std::size_t) { self->OnRequest(error); });
}

void Connection::OnRequest(error_code error) {
  if (closed_) return;
  all_.splice(all_.end(), all_, at_);
  ++requests_;
  if (error == http::error::header_limit || error == http::error::buffer_overflow) {
    Refuse(http::status::request_header_fields_too_large, "The request's headers are too large.\n");
  } else if (error.category() == http::make_error_code(http::error::bad_method).category() &&
             error != http::error::end_of_stream && error != http::error::partial_message) {
    Refuse(http::status::bad_request, "This is not HTTP.\n");
  } else if (error) {
    Close();  // gone, or too slow
  } else {
    Respond();
  }
}

void Connection::Respond() {
  const auto& request = parser_->get();
  const std::optional<Method> method = MethodOf(request.method());
  if (!method.has_value() || !router_.Takes(*method)) {
    const bool commands = router_.Takes(Method::kPost);
    return Refuse(http::status::method_not_allowed, commands ? "GET, HEAD and POST only.\n" : "GET and HEAD only.\n");
  }
  if (request.has_content_length() ? parser_->content_length().value_or(0) > 0 : request.chunked()) {
    return Refuse(http::status::payload_too_large, "A request has no body here.\n");
  }
  const std::string_view target(request.target().data(), request.target().size());
  Answer answer = router_.Route(*method, target.substr(0, target.find('?')));
  const bool close = !request.keep_alive() || requests_ >= options_.requests_max;
  Send(std::move(answer), request.method() == http::verb::head, close);
}

void Connection::Refuse(http::status status, std::string text) {
  Answer answer;
  answer.status = static_cast<int>(status);
  answer.body = std::move(text);
  Send(std::move(answer), /*head=*/false, /*close=*/true);
}

void Connection::Send(Answer answer, bool head, bool close) {
  response_ = {};
  response_.version(11);
  response_.result(static_cast<unsigned>(answer.status));
  response_.set(http::field::content_type, answer.content_type);
  response_.set(http::field::cache_control, "no-store");
  response_.set("X-Content-Type-Options", "nosniff");
  if (response_.result() == http::status::method_not_allowed) response_.set(http::field::allow, router_.Allowed());
  response_.keep_alive(!close);
  response_.content_length(answer.body.size());
  if (!head) response_.body() = std::move(answer.body);
  stream_.expires_after(options_.answer_timeout);
  http::async_write(stream_, response_, [self = shared_from_this(), close](error_code error, std::size_t) {
    if (self->closed_) return;
    if (error) return self->Close();
    if (close) return self->Linger();
    self->Read();
  });
}

// Closing a socket with unread bytes resets it, and the client may never see the answer: read a little first.
void Connection::Linger() {
  error_code ignored;
  stream_.socket().shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
  stream_.expires_after(std::chrono::seconds(1));
  Discard();
}

void Connection::Discard() {
  stream_.async_read_some(asio::buffer(trash_), [self = shared_from_this()](error_code error, std::size_t size) {
    if (self->closed_) return;
    self->discarded_ += size;
    if (error || self->discarded_ > kDiscardedMax) return self->Close();
    self->Discard();
  });
}

}  // namespace muster::http
