// One connection of a listener: reads a request at a time, asks the router, writes the answer, within the bounds that
// the options set.
//
// Threading: everything on the listener's one thread. Lifetime: kept alive by the handler that is pending and by the
// list of connections; the listener's list, context, options and router outlive it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>

#include "service/http/listener.h"
#include "service/http/router.h"

namespace muster::http {

class Connection;
// The one that has been silent longest first.
using Connections = std::list<std::shared_ptr<Connection>>;

class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(Connections& all, boost::asio::io_context& context, const ListenerOptions& options, Router& router,
             boost::asio::ip::tcp::socket socket);

  // `at` is its own place in the list.
  void Start(Connections::iterator at);
  // Takes it out of the list.
  void Close();

 private:
  void Read();
  void OnRequest(boost::system::error_code error);
  void Respond();
  void Refuse(boost::beast::http::status status, std::string text);
  void Send(Answer answer, bool head, bool close);
  void Linger();
  void Discard();

  Connections& all_;
  const ListenerOptions& options_;
  Router& router_;
  boost::beast::tcp_stream stream_;
  boost::asio::steady_timer end_;
  boost::beast::flat_buffer buffer_;
  std::optional<boost::beast::http::request_parser<boost::beast::http::empty_body>> parser_;
  boost::beast::http::response<boost::beast::http::string_body> response_;
  std::array<char, 1024> trash_;
  std::size_t discarded_ = 0;
  std::uint32_t requests_ = 0;
  Connections::iterator at_;
  bool closed_ = false;
};

}  // namespace muster::http
