// bench_redis_list: a queue of jobs made of two Redis lists, by hiredis; a worker that echoes, and a client that
// measures.
//
//   bench_redis_list --port=6379 --role=worker &     ends by a signal
//   bench_redis_list --port=6379 --role=client --in-flight=128 --seconds=3
//
// A job is one LPUSH of its slot and payload to the list of jobs; the worker takes it and does one LPUSH to the list of
// replies. Both sides use two connections: on one they push, pipelined and without asking for the length of the list
// that LPUSH answers with (CLIENT REPLY OFF); on the other they take, with some commands to take already on their way.
// --take is the number of elements a command takes: 1 is BRPOP, more is BLMPOP (Redis 7).
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <hiredis/hiredis.h>

#include "CLI/CLI.hpp"
#include "fmt/format.h"

#include "tests/bench/tally.h"

namespace muster::bench {
namespace {

constexpr char kHost[] = "127.0.0.1";
constexpr char kJobs[] = "jobs";
constexpr char kReplies[] = "replies";
constexpr timeval kPatience{.tv_sec = 30, .tv_usec = 0};

struct Plan {
  int port = 6379;
  int in_flight = 128;
  int take = 1;
  int ahead = 1;  // commands to take that are on their way
  size_t payload_bytes = 16;
  Tally::Plan time;
};

[[noreturn]] void Fail(const std::string& why) {
  std::fprintf(stderr, "bench_redis_list: %s\n", why.c_str());
  std::exit(1);
}

struct FreeReply {
  void operator()(redisReply* reply) const { freeReplyObject(reply); }
};
using Reply = std::unique_ptr<redisReply, FreeReply>;

class Connection {
 public:
  explicit Connection(int port) : context_(redisConnectWithTimeout(kHost, port, kPatience)) {
    if (context_ == nullptr || context_->err != 0) {
      Fail(fmt::format("nobody answers at {}:{}: {}", kHost, port, context_ ? context_->errstr : "no memory"));
    }
  }
  ~Connection() { redisFree(context_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  redisContext* get() { return context_; }
  void SetPatience() { redisSetTimeout(context_, kPatience); }
  void Check(int status) const {
    if (status != REDIS_OK) Fail(fmt::format("connection lost: {}", context_->errstr));
  }
  void Flush() {
    int done = 0;
    while (done == 0) Check(redisBufferWrite(context_, &done));
  }
  // Sends what was appended, and waits.
  Reply Next() {
    void* reply = nullptr;
    Check(redisGetReply(context_, &reply));
    Reply owned(static_cast<redisReply*>(reply));
    if (owned->type == REDIS_REPLY_ERROR) Fail(fmt::format("Redis says {}", owned->str));
    return owned;
  }
  // What has come already; nullptr: nothing.
  Reply NextIfThere() {
    void* reply = nullptr;
    Check(redisGetReplyFromReader(context_, &reply));
    return Reply(static_cast<redisReply*>(reply));
  }

 private:
  redisContext* const context_;
};

// Pushes to one list and takes from another.
class End {
 public:
  End(const Plan& plan, const char* to, const char* from)
      : plan_(plan), to_(to), from_(from), push_(plan.port), take_(plan.port) {
    redisAppendCommand(push_.get(), "CLIENT REPLY OFF");
    push_.Flush();
    for (int i = 0; i < plan.ahead; ++i) AppendTake();
  }
  void SetPatience() { take_.SetPatience(); }

  void Push(std::string_view element) {
    const char* words[] = {"LPUSH", to_, element.data()};
    const size_t sizes[] = {5, std::strlen(to_), element.size()};
    redisAppendCommandArgv(push_.get(), 3, words, sizes);
  }
  void Flush() { push_.Flush(); }

  // Waits for one element or more and calls each(element) for all that have come.
  template <typename Each>
  void Take(Each each) {
    for (Reply reply = take_.Next(); reply != nullptr; reply = take_.NextIfThere()) {
      AppendTake();
      if (plan_.take == 1) {
        each(Text(*reply, 1));
        continue;
      }
      if (reply->type != REDIS_REPLY_ARRAY || reply->elements != 2) Fail("an answer to BLMPOP is none");
      const redisReply& elements = *reply->element[1];
      for (size_t i = 0; i < elements.elements; ++i) each(Text(elements, i));
    }
  }

 private:
  static std::string_view Text(const redisReply& array, size_t index) {
    if (array.type != REDIS_REPLY_ARRAY || index >= array.elements) Fail("a list gave no element");
    const redisReply& text = *array.element[index];
    return {text.str, text.len};
  }
  void AppendTake() {
    if (plan_.take == 1) {
      redisAppendCommand(take_.get(), "BRPOP %s 0", from_);
    } else {
      redisAppendCommand(take_.get(), "BLMPOP 0 1 %s RIGHT COUNT %d", from_, plan_.take);
    }
  }

  const Plan plan_;
  const char* const to_;
  const char* const from_;
  Connection push_;
  Connection take_;
};

int Work(const Plan& plan) {
  End end(plan, kReplies, kJobs);
  while (true) {
    end.Take([&](std::string_view job) { end.Push(job); });
    end.Flush();
  }
}

int Measure(const Plan& plan) {
  End end(plan, kJobs, kReplies);
  end.SetPatience();
  Tally tally(plan.time);
  std::vector<Tally::Instant> began(static_cast<size_t>(plan.in_flight));
  const std::string payload(plan.payload_bytes, 'x');
  int live = 0;
  const auto submit = [&](uint32_t slot) {
    began[slot] = Tally::Now();
    if (!tally.Start(1, began[slot])) return;
    ++live;
    std::string job(sizeof slot, '\0');
    std::memcpy(job.data(), &slot, sizeof slot);
    end.Push(job + payload);
  };
  for (uint32_t slot = 0; slot < began.size(); ++slot) submit(slot);
  end.Flush();
  while (live > 0) {
    end.Take([&](std::string_view reply) {
      uint32_t slot = 0;
      if (reply.size() != sizeof slot + payload.size()) Fail("a reply is no echo");
      std::memcpy(&slot, reply.data(), sizeof slot);
      if (slot >= began.size()) Fail("a reply to nothing");
      --live;
      tally.Done(began[slot], 1, Tally::Now());
      submit(slot);
    });
    end.Flush();
  }
  tally.Close();
  if (!tally.measured_anything()) Fail("too little ended after the warm-up; raise --seconds");
  fmt::print("{{{}}}\n", tally.ToJson());
  return 0;
}

int Main(int argc, char** argv) {
  Plan plan;
  std::string role = "client";
  CLI::App app("A worker on a Redis list that echoes, or a client that measures and prints JSON.");
  app.set_version_flag("--version",
                       fmt::format(R"({{"hiredis": "{}.{}.{}"}})", HIREDIS_MAJOR, HIREDIS_MINOR, HIREDIS_PATCH));
  app.add_option("--port", plan.port, "Redis's, on 127.0.0.1.")->required();
  app.add_option("--role", role, "What to be.")->check(CLI::IsMember({"worker", "client"}));
  app.add_option("--in-flight", plan.in_flight, "Jobs under way at a time.")->check(CLI::Range(1, 100000));
  app.add_option("--take", plan.take, "Elements that one command takes; 1: BRPOP.")->check(CLI::Range(1, 100000));
  app.add_option("--ahead", plan.ahead, "Commands to take that are on their way.")->check(CLI::Range(1, 100000));
  app.add_option("--payload-bytes", plan.payload_bytes, "Size of each payload.")->check(CLI::Range(1, 1 << 20));
  app.add_option("--seconds", plan.time.seconds, "How long to measure.")->check(CLI::PositiveNumber);
  app.add_option("--warmup", plan.time.warmup_seconds, "Seconds before it measures.")->check(CLI::NonNegativeNumber);
  CLI11_PARSE(app, argc, argv);
  return role == "worker" ? Work(plan) : Measure(plan);
}

}  // namespace
}  // namespace muster::bench

int main(int argc, char** argv) { return muster::bench::Main(argc, argv); }
