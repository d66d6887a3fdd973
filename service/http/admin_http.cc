#include "service/http/admin_http.h"

#include <array>
#include <list>
#include <optional>
#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>
#include <fmt/format.h>

#include "service/base/log.h"
#include "service/base/thread.h"

namespace muster::http {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using asio::ip::tcp;
using boost::system::error_code;

struct Answer {
  http::status status = http::status::ok;
  std::string body;
  std::string content_type = "text/plain; charset=utf-8";
  bool close = false;
};

std::string IndexPage(std::string_view title) {
  return fmt::format(
      "<!doctype html><html lang=\"en\"><title>{0}</title><h1>{0}</h1><ul>"
      "<li><a href=\"/metrics\">/metrics</a> for Prometheus"
      "<li><a href=\"/healthz\">/healthz</a> alive"
      "<li><a href=\"/readyz\">/readyz</a> takes work</ul></html>\n",
      title);
}

}  // namespace

class AdminServer::Impl {
 public:
  Impl(Options options, Pages pages)
      : options_(std::move(options)), pages_(std::move(pages)), acceptor_(context_), pause_(context_) {}

  absl::Status Listen();
  void Run() {
    thread_ = base::Thread("admin", [this] {
      Accept();
      context_.run();
    });
  }
  void Stop();
  std::string address() const { return address_; }

 private:
  class Session;
  using Sessions = std::list<std::shared_ptr<Session>>;

  void Accept();
  void Admit(tcp::socket socket);
  Answer Page(std::string_view path);
  Answer Command(std::string_view target);

  const Options options_;
  Pages pages_;
  asio::io_context context_{1};
  tcp::acceptor acceptor_;
  asio::steady_timer pause_;
  bool stopping_ = false;
  Sessions sessions_;  // the one that has been silent longest first
  std::string address_;
  base::Thread thread_;
};

// One connection. Kept alive by the handler that is pending and by the list; everything runs on the one thread.
class AdminServer::Impl::Session : public std::enable_shared_from_this<Session> {
 public:
  Session(Impl& owner, tcp::socket socket) : owner_(owner), stream_(std::move(socket)), end_(owner.context_) {
    buffer_.max_size(owner_.options_.header_bytes_max + 4096);
  }

  void Start(Sessions::iterator at) {
    at_ = at;
    end_.expires_after(owner_.options_.connection_timeout);
    end_.async_wait([self = shared_from_this()](error_code error) {
      if (!error) self->Close();
    });
    Read();
  }

  void Close() {
    if (closed_) return;
    closed_ = true;
    end_.cancel();
    error_code ignored;
    stream_.socket().close(ignored);
    owner_.sessions_.erase(at_);  // may leave the pending handler as the last owner
  }

 private:
  void Read() {
    parser_.emplace();
    parser_->header_limit(owner_.options_.header_bytes_max);
    stream_.expires_after(owner_.options_.request_timeout);
    http::async_read_header(stream_, buffer_, *parser_,
                            [self = shared_from_this()](error_code error, std::size_t) { self->OnRequest(error); });
  }

  void OnRequest(error_code error) {
    if (closed_) return;
    owner_.sessions_.splice(owner_.sessions_.end(), owner_.sessions_, at_);
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

  void Respond() {
    const auto& request = parser_->get();
    const bool command = request.method() == http::verb::post && owner_.pages_.command;
    if (!command && request.method() != http::verb::get && request.method() != http::verb::head) {
      return Refuse(http::status::method_not_allowed, "GET and HEAD only.\n");
    }
    if (request.has_content_length() ? parser_->content_length().value_or(0) > 0 : request.chunked()) {
      return Refuse(http::status::payload_too_large, "A request has no body here.\n");
    }
    const std::string_view target(request.target().data(), request.target().size());
    Answer answer = command ? owner_.Command(target) : owner_.Page(target.substr(0, target.find('?')));
    answer.close = !request.keep_alive() || requests_ >= owner_.options_.requests_max;
    Send(std::move(answer), request.method() == http::verb::head);
  }

  void Refuse(http::status status, std::string text) {
    Answer answer;
    answer.status = status;
    answer.body = std::move(text);
    answer.close = true;
    Send(std::move(answer), false);
  }

  void Send(Answer answer, bool head) {
    response_ = {};
    response_.version(11);
    response_.result(answer.status);
    response_.set(http::field::content_type, answer.content_type);
    response_.set(http::field::cache_control, "no-store");
    response_.set("X-Content-Type-Options", "nosniff");
    if (answer.status == http::status::method_not_allowed) response_.set(http::field::allow, "GET, HEAD");
    response_.keep_alive(!answer.close);
    response_.content_length(answer.body.size());
    if (!head) response_.body() = std::move(answer.body);
    stream_.expires_after(owner_.options_.answer_timeout);
    http::async_write(stream_, response_,
                      [self = shared_from_this(), close = answer.close](error_code error, std::size_t) {
                        if (self->closed_) return;
                        if (error) return self->Close();
                        if (close) return self->Linger();
                        self->Read();
                      });
  }

  // Closing a socket with unread bytes resets it, and the client may never see the answer: read a little first.
  void Linger() {
    error_code ignored;
    stream_.socket().shutdown(tcp::socket::shutdown_send, ignored);
    stream_.expires_after(std::chrono::seconds(1));
    Discard();
  }
  void Discard() {
    stream_.async_read_some(asio::buffer(trash_), [self = shared_from_this()](error_code error, std::size_t size) {
      if (self->closed_) return;
      self->discarded_ += size;
      if (error || self->discarded_ > 256 * 1024) return self->Close();
      self->Discard();
    });
  }

  Impl& owner_;
  beast::tcp_stream stream_;
  asio::steady_timer end_;
  beast::flat_buffer buffer_;
  std::optional<http::request_parser<http::empty_body>> parser_;
  http::response<http::string_body> response_;
  std::array<char, 1024> trash_;
  std::size_t discarded_ = 0;
  std::uint32_t requests_ = 0;
  Sessions::iterator at_;
  bool closed_ = false;
};

absl::Status AdminServer::Impl::Listen() {
  error_code error;
  const auto address = asio::ip::make_address(options_.address == "localhost" ? "127.0.0.1" : options_.address, error);
  if (error) {
    return absl::InvalidArgumentError(fmt::format("\"{}\" is no numeric address", options_.address));
  }
  const tcp::endpoint wanted(address, options_.port);
  const auto failed = [&](std::string_view what) {
    return absl::UnavailableError(
        fmt::format("can't {} {}:{}: {}", what, options_.address, options_.port, error.message()));
  };
  if (acceptor_.open(wanted.protocol(), error); error) return failed("open a socket for");
  acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
  if (acceptor_.bind(wanted, error); error) return failed("bind");
  if (acceptor_.listen(128, error); error) return failed("listen on");
  const tcp::endpoint bound = acceptor_.local_endpoint(error);
  address_ = address.is_v6() ? fmt::format("[{}]:{}", address.to_string(), bound.port())
                             : fmt::format("{}:{}", address.to_string(), bound.port());
  return absl::OkStatus();
}

void AdminServer::Impl::Accept() {
  acceptor_.async_accept([this](error_code error, tcp::socket socket) {
    if (stopping_) return;
    if (!error) {
      Admit(std::move(socket));
      return Accept();
    }
    // Out of descriptors, most likely: another try at once would spin.
    static base::LogLimiter limiter;
    base::LogLimited(limiter, base::LogLevel::kWarning, "the admin listener can't accept a connection",
                     {{"error", error.message()}});
    pause_.expires_after(std::chrono::milliseconds(100));
    pause_.async_wait([this](error_code) {
      if (!stopping_) Accept();
    });
  });
}

void AdminServer::Impl::Admit(tcp::socket socket) {
  if (sessions_.size() >= options_.connections_max) {
    const std::shared_ptr<Session> oldest = sessions_.front();
    oldest->Close();
  }
  error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  sessions_.push_back(std::make_shared<Session>(*this, std::move(socket)));
  const std::shared_ptr<Session> session = sessions_.back();
  session->Start(std::prev(sessions_.end()));
}

Answer AdminServer::Impl::Page(std::string_view path) {
  Answer answer;
  if (path == "/metrics") {
    answer.body = pages_.metrics();
    answer.content_type = pages_.metrics_content_type;
  } else if (path == "/healthz") {
    answer.body = "ok\n";
  } else if (path == "/readyz") {
    Readiness readiness = pages_.readiness();
    if (!readiness.ready) answer.status = http::status::service_unavailable;
    answer.body = readiness.ready ? "ready\n" : std::move(readiness.reason) + "\n";
  } else if (path == "/") {
    answer.body = IndexPage(pages_.title);
    answer.content_type = "text/html; charset=utf-8";
  } else {
    answer.status = http::status::not_found;
    answer.body = "There are /metrics, /healthz and /readyz.\n";
  }
  return answer;
}

Answer AdminServer::Impl::Command(std::string_view target) {
  Answer answer;
  absl::StatusOr<std::string> done = pages_.command(target);
  if (done.ok()) {
    answer.body = *std::move(done);
    return answer;
  }
  answer.body = fmt::format("{}\n", std::string(done.status().message()));
  switch (done.status().code()) {
    case absl::StatusCode::kNotFound:
      answer.status = http::status::not_found;
      break;
    case absl::StatusCode::kInvalidArgument:
      answer.status = http::status::bad_request;
      break;
    default:
      answer.status = http::status::service_unavailable;
  }
  return answer;
}

void AdminServer::Impl::Stop() {
  asio::post(context_, [this] {
    stopping_ = true;
    error_code ignored;
    acceptor_.close(ignored);
    pause_.cancel();
    while (!sessions_.empty()) {
      const std::shared_ptr<Session> session = sessions_.front();
      session->Close();
    }
  });
  thread_.Join();
}

AdminServer::AdminServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
AdminServer::~AdminServer() { impl_->Stop(); }

absl::StatusOr<std::unique_ptr<AdminServer>> AdminServer::Start(Options options, Pages pages) {
  auto impl = std::make_unique<Impl>(std::move(options), std::move(pages));
  if (absl::Status status = impl->Listen(); !status.ok()) return status;
  impl->Run();
  return std::unique_ptr<AdminServer>(new AdminServer(std::move(impl)));
}

std::string AdminServer::address() const { return impl_->address(); }

}  // namespace muster::http
