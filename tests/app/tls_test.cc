// TLS from files, with certificates that the openssl command makes.
#include "service/app/tls.h"

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/server.h>
#include <grpcpp/server_builder.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "service/base/log.h"
#include "service/base/mutex.h"
#include "service/base/thread.h"

namespace muster::app {
namespace {

using ::testing::HasSubstr;

// What was logged, for tests that wait for a line.
class Lines {
 public:
  void Add(std::string line) {
    base::MutexLock lock(mutex_);
    lines_.push_back(std::move(line));
    added_.NotifyAll();
  }
  void Clear() {
    base::MutexLock lock(mutex_);
    lines_.clear();
  }
  // Waits at most ten seconds.
  bool ComeToHold(const std::string& part) {
    const base::SystemClock clock;
    const base::Instant end = clock.Now() + std::chrono::seconds(10);
    base::MutexLock lock(mutex_);
    for (;;) {
      for (const std::string& line : lines_) {
        if (line.find(part) != std::string::npos) return true;
      }
      if (clock.Now() >= end) return false;
      added_.WaitFor(mutex_, std::chrono::milliseconds(100));
    }
  }

 private:
  base::Mutex mutex_;
  base::CondVar added_;
  std::vector<std::string> lines_ MUSTER_GUARDED_BY(mutex_);
};

Lines& Logged() {
  static Lines lines;
  return lines;
}
void Remember(base::LogLevel, std::string_view message, std::span<const base::LogField> fields) {
  std::string text(message);
  for (const base::LogField& field : fields) text += " " + std::string(field.value.text());
  Logged().Add(std::move(text));
}

class Tls : public ::testing::Test {
 protected:
  Tls() {
    folder_ =
        std::filesystem::temp_directory_path() / ("muster-tls-" + std::to_string(getpid()) + "-" +
                                                  ::testing::UnitTest::GetInstance()->current_test_info()->name());
    std::filesystem::create_directories(folder_);
    base::SetLogSink(&Remember, base::LogLevel::kDebug);
    Logged().Clear();
  }
  ~Tls() override {
    if (server_ != nullptr) {
      server_->Shutdown();
      queue_->Shutdown();
      polling_.Join();
    }
    base::SetLogSink(nullptr, base::LogLevel::kWarning);
    std::filesystem::remove_all(folder_);
  }

  std::string Path(const std::string& name) const { return (folder_ / name).string(); }
  std::string Read(const std::string& name) const {
    std::ifstream file(Path(name));
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }
  void Write(const std::string& name, const std::string& text) const { std::ofstream(Path(name)) << text; }
  void Copy(const std::string& from, const std::string& to) const {
    std::filesystem::copy_file(Path(from), Path(to), std::filesystem::copy_options::overwrite_existing);
  }
  void Openssl(const std::string& arguments) const {
    const std::string command = "cd " + folder_.string() + " && openssl " + arguments + " >openssl.log 2>&1";
    ASSERT_EQ(std::system(command.c_str()), 0) << command << "\n" << Read("openssl.log");
  }
  // NAME.pem and NAME.key, signed by itself.
  void MakeSelfSigned(const std::string& name) const {
    Openssl("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=" + name +
            " -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout " + name + ".key -out " + name + ".pem");
  }
  TlsPaths Paths() const { return {Path("live.pem"), Path("live.key"), ""}; }

  void Serve(TlsPaths paths) {
    auto files = TlsFiles::Load(std::move(paths), std::chrono::milliseconds(50));
    ASSERT_TRUE(files.ok()) << files.status();
    files_ = *std::move(files);
    grpc::ServerBuilder builder;
    builder.RegisterAsyncGenericService(&generic_);
    queue_ = builder.AddCompletionQueue();
    builder.AddListeningPort("127.0.0.1:0", files_->credentials(), &port_);
    server_ = builder.BuildAndStart();
    ASSERT_NE(server_, nullptr);
    // Nobody calls anything; the queue is polled because handshakes are done by who polls.
    polling_ = base::Thread("poll", [this] {
      void* tag = nullptr;
      bool ok = false;
      while (queue_->Next(&tag, &ok)) {
      }
    });
  }
  // A new connection that trusts `ca` and shows `client`, if any.
  bool Connects(const std::string& ca, const std::string& client = "", int seconds = 2) const {
    grpc::SslCredentialsOptions options;
    options.pem_root_certs = Read(ca + ".pem");
    if (!client.empty()) {
      options.pem_cert_chain = Read(client + ".pem");
      options.pem_private_key = Read(client + ".key");
    }
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    const auto channel =
        // A number: the packaged resolver leaks when it is asked for a name.
        grpc::CreateCustomChannel("127.0.0.1:" + std::to_string(port_), grpc::SslCredentials(options), arguments);
    return channel->WaitForConnected(
        std::chrono::system_clock::time_point(base::SystemClock().Now() + std::chrono::seconds(seconds)));
  }
  static bool ComesToBeLogged(const std::string& part) { return Logged().ComeToHold(part); }

  std::filesystem::path folder_;
  std::unique_ptr<TlsFiles> files_;
  grpc::AsyncGenericService generic_;
  std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  std::unique_ptr<grpc::Server> server_;
  base::Thread polling_;
  int port_ = 0;
};

TEST_F(Tls, BadFilesAreNamedWithWhatIsWrong) {
  MakeSelfSigned("a");
  MakeSelfSigned("b");
  Write("garbage.pem", "-----BEGIN CERTIFICATE-----\ngarbage\n-----END CERTIFICATE-----\n");
  Write("words", "words");
  Openssl("ec -in a.key -aes128 -passout pass:x -out secret.key");
  const auto error = [&](const std::string& cert, const std::string& key, const std::string& ca = "") {
    return std::string(LoadTlsMaterial({Path(cert), Path(key), ca.empty() ? "" : Path(ca)}).status().message());
  };
  EXPECT_EQ(error("a.pem", "a.key", "b.pem"), "");
  EXPECT_THAT(error("none.pem", "a.key"), HasSubstr("none.pem: can't be read: No such file"));
  EXPECT_THAT(error("a.pem", "none.key"), HasSubstr("none.key: can't be read"));
  EXPECT_THAT(error("garbage.pem", "a.key"), HasSubstr("garbage.pem: holds a certificate that does not parse"));
  EXPECT_THAT(error("words", "a.key"), HasSubstr("words: holds no PEM certificate"));
  EXPECT_THAT(error("a.pem", "words"), HasSubstr("words: holds no PEM private key"));
  EXPECT_THAT(error("a.pem", "b.key"), HasSubstr("b.key: the key does not belong to the first certificate of"));
  EXPECT_THAT(error("a.pem", "secret.key"), HasSubstr("secret.key: the key is encrypted"));
  EXPECT_THAT(error("a.pem", "a.key", "words"), HasSubstr("words: holds no PEM certificate"));
  EXPECT_FALSE(TlsFiles::Load({Path("a.pem"), Path("b.key"), ""}).ok());
}

TEST_F(Tls, ServesAndTakesUpReplacedFiles) {
  MakeSelfSigned("a");
  MakeSelfSigned("b");
  Copy("a.pem", "live.pem");
  Copy("a.key", "live.key");
  Serve(Paths());
  EXPECT_TRUE(Connects("a"));
  EXPECT_FALSE(Connects("b", "", 1));

  // One after the other: for a moment they do not fit.
  Copy("b.pem", "live.pem");
  Copy("b.key", "live.key");
  EXPECT_TRUE(ComesToBeLogged("TLS files reloaded"));
  EXPECT_TRUE(Connects("b", "", 10));
  EXPECT_FALSE(Connects("a", "", 1));
}

TEST_F(Tls, ABrokenReplacementKeepsWhatWasThere) {
  MakeSelfSigned("a");
  MakeSelfSigned("b");
  Copy("a.pem", "live.pem");
  Copy("a.key", "live.key");
  Serve(Paths());
  Copy("b.key", "live.key");
  EXPECT_TRUE(ComesToBeLogged("can't be used; what was loaded before stays in use"));
  EXPECT_TRUE(ComesToBeLogged("the key does not belong"));
  Write("live.pem", "");
  EXPECT_TRUE(ComesToBeLogged("holds no PEM certificate"));
  std::filesystem::remove(Path("live.pem"));
  EXPECT_TRUE(ComesToBeLogged("No such file"));
  usleep(1'500'000);  // gRPC itself looks once a second
  EXPECT_TRUE(Connects("a"));
  Copy("b.pem", "live.pem");
  EXPECT_TRUE(ComesToBeLogged("in order again"));
  EXPECT_TRUE(Connects("b", "", 10));
}

TEST_F(Tls, MutualTlsTakesKnownClientsOnly) {
  MakeSelfSigned("server");
  MakeSelfSigned("friend");
  MakeSelfSigned("stranger");
  Copy("friend.pem", "clients.pem");
  Serve({Path("server.pem"), Path("server.key"), Path("clients.pem")});
  EXPECT_TRUE(Connects("server", "friend"));
  EXPECT_FALSE(Connects("server", "stranger", 1));
  EXPECT_FALSE(Connects("server", "", 1));

  // The authorities are reloaded as well.
  Write("clients.pem", Read("friend.pem") + Read("stranger.pem"));
  EXPECT_TRUE(ComesToBeLogged("TLS files reloaded"));
  EXPECT_TRUE(Connects("server", "stranger", 10));
  EXPECT_TRUE(Connects("server", "friend"));
}

}  // namespace
}  // namespace muster::app
