#include "client/cpp/detail/connection.h"

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <utility>

#include <fmt/format.h>
#include <grpc/support/time.h>

#include "muster/status.h"

namespace muster::client::detail {
namespace {

absl::StatusOr<std::string> ReadFile(const std::string& path, const char* what) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return absl::InvalidArgumentError(fmt::format("the {} file '{}' cannot be read", what, path));
  std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (text.empty()) return absl::InvalidArgumentError(fmt::format("the {} file '{}' is empty", what, path));
  return text;
}

absl::StatusOr<std::shared_ptr<grpc::ChannelCredentials>> Credentials(const std::optional<TlsOptions>& tls) {
  if (!tls) return grpc::InsecureChannelCredentials();
  if (tls->cert_file.empty() != tls->key_file.empty()) {
    return absl::InvalidArgumentError("a client certificate needs both its file and its key's file");
  }
  grpc::SslCredentialsOptions ssl;
  const std::pair<const std::string&, std::pair<const char*, std::string*>> files[] = {
      {tls->ca_file, {"authorities'", &ssl.pem_root_certs}},
      {tls->cert_file, {"certificate", &ssl.pem_cert_chain}},
      {tls->key_file, {"key", &ssl.pem_private_key}},
  };
  for (const auto& [path, target] : files) {
    if (path.empty()) continue;
    auto text = ReadFile(path, target.first);
    if (!text.ok()) return std::move(text).status();
    *target.second = *std::move(text);
  }
  return grpc::SslCredentials(ssl);
}

}  // namespace

absl::StatusOr<std::shared_ptr<Connection>> Connection::Open(std::string address, Options options) {
  if (address.empty()) return absl::InvalidArgumentError("the server's address is empty; give host:port");
  auto credentials = Credentials(options.tls);
  if (!credentials.ok()) return std::move(credentials).status();
  grpc::ChannelArguments arguments;
  const auto millis = [](Duration duration) {
    return static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(duration).count());
  };
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, millis(options.keepalive));
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10'000);
  // The library's own retries come sooner than the channel's default pause of a second between connects.
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, std::max(1, millis(options.retry.initial)));
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, std::max(1, millis(options.retry.pause_max)));
  arguments.SetMaxReceiveMessageSize(static_cast<int>(std::min<std::size_t>(options.message_bytes_max, INT32_MAX)));
  arguments.SetMaxSendMessageSize(-1);  // the server says its own limit
  if (options.tls && !options.tls->server_name.empty()) {
    arguments.SetSslTargetNameOverride(options.tls->server_name);
  }
  // Connections with other settings are not shared between clients of one process.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  auto channel = grpc::CreateCustomChannel(address, *credentials, arguments);
  return std::make_shared<Connection>(std::move(address), std::move(options), std::move(channel));
}

Connection::Connection(std::string address, Options options, std::shared_ptr<grpc::Channel> channel)
    : address_(std::move(address)),
      options_(std::move(options)),
      channel_(std::move(channel)),
      stub_(v1::FutureService::NewStub(channel_)),
      thread_("muster-client", [this] { Drain(); }) {}

Connection::~Connection() {
  {
    base::MutexLock lock(mutex_);
    while (open_streams_ > 0) streams_ended_.Wait(mutex_);
  }
  queue_.Shutdown();
  thread_.Join();
}

void Connection::StreamOpened() {
  base::MutexLock lock(mutex_);
  ++open_streams_;
}

void Connection::StreamEnded() {
  base::MutexLock lock(mutex_);
  if (--open_streams_ == 0) streams_ended_.NotifyAll();
}

void Connection::Drain() {
  void* tag = nullptr;
  bool ok = false;
  while (queue_.Next(&tag, &ok)) static_cast<Tag*>(tag)->OnEvent(ok);
}

void SetDeadline(grpc::ClientContext& context, Duration timeout) {
  context.set_deadline(gpr_time_from_micros(std::max<std::int64_t>(0, timeout.count()), GPR_TIMESPAN));
}

const base::Clock& ClientClock() {
  static const base::SystemClock clock;
  return clock;
}

absl::Status FromGrpc(const grpc::Status& status) {
  return FromRpcStatus(static_cast<int>(status.error_code()), status.error_message(), status.error_details());
}

}  // namespace muster::client::detail
