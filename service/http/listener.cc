#include "service/http/listener.h"

#include <utility>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <fmt/format.h>

#include "service/base/log.h"
#include "service/base/thread.h"
#include "service/http/detail/connection.h"

namespace muster::http {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

class Listener::Impl {
 public:
  Impl(ListenerOptions options, Router router)
      : options_(std::move(options)), router_(std::move(router)), acceptor_(context_), pause_(context_) {}

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
  void Accept();
  void Admit(tcp::socket socket);

  const ListenerOptions options_;
  Router router_;
  asio::io_context context_{1};
  tcp::acceptor acceptor_;
  asio::steady_timer pause_;
  bool stopping_ = false;
  Connections connections_;
  std::string address_;
  base::Thread thread_;
};

absl::Status Listener::Impl::Listen() {
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

void Listener::Impl::Accept() {
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

void Listener::Impl::Admit(tcp::socket socket) {
  if (connections_.size() >= options_.connections_max) {
    const std::shared_ptr<Connection> oldest = connections_.front();
    oldest->Close();
  }
  error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  connections_.push_back(std::make_shared<Connection>(connections_, context_, options_, router_, std::move(socket)));
  const std::shared_ptr<Connection> connection = connections_.back();
  connection->Start(std::prev(connections_.end()));
}

void Listener::Impl::Stop() {
  asio::post(context_, [this] {
    stopping_ = true;
    error_code ignored;
    acceptor_.close(ignored);
    pause_.cancel();
    while (!connections_.empty()) {
      const std::shared_ptr<Connection> connection = connections_.front();
      connection->Close();
    }
  });
  thread_.Join();
}

Listener::Listener(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Listener::~Listener() { impl_->Stop(); }

absl::StatusOr<std::unique_ptr<Listener>> Listener::Start(ListenerOptions options, Router router) {
  auto impl = std::make_unique<Impl>(std::move(options), std::move(router));
  if (absl::Status status = impl->Listen(); !status.ok()) return status;
  impl->Run();
  return std::unique_ptr<Listener>(new Listener(std::move(impl)));
}

std::string Listener::address() const { return impl_->address(); }

}  // namespace muster::http
