// The functions that a program brings along: what a C++ user registers with. The server looks functions up in its
// directory (service/dispatch/directory.h), which also knows those that only its store names.
//
// Filled before the service starts, constant after: lookups need no lock. Lifetime: outlives the service.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"

#include "service/core/door/command.h"
#include "service/coro/task.h"
#include "service/jobs/context.h"

namespace muster::jobs {

// A coroutine on a loop; must not block. Write it as an ordinary function or a captureless lambda: a coroutine lambda's
// captures die before its frame does. State it needs is bound as a reference to something that outlives the service.
using AsyncBody = std::function<coro::Task<absl::StatusOr<Payload>>(JobContext&, Payload)>;
// Ordinary code on the blocking pool.
using BlockingBody = std::function<absl::StatusOr<Payload>(BlockingContext&, Payload)>;

struct Function {
  std::string name;  // 1 to 128 of a-z, A-Z, 0-9, '.', '_', '-'
  values::FunctionKind kind = values::FunctionKind::kAsync;
  std::string description;  // what it does, takes and gives
  Payload input_example;    // an input that works
  AsyncBody async;          // one of the two is set
  BlockingBody blocking;
};

class Registry {
 public:
  // kAlreadyExists for a name that is taken, kInvalidArgument for a bad one.
  absl::Status AddAsync(std::string name, std::string description, Payload input_example, AsyncBody body);
  absl::Status AddBlocking(std::string name, std::string description, Payload input_example, BlockingBody body);

  // Null when there is none.
  const Function* Find(std::string_view name) const;
  size_t size() const { return functions_.size(); }
  // In the order of their registration.
  const std::vector<std::unique_ptr<const Function>>& functions() const { return functions_; }
  // By name.
  std::vector<const Function*> Sorted() const;

 private:
  absl::Status Add(Function function);

  std::vector<std::unique_ptr<const Function>> functions_;
  absl::flat_hash_map<std::string, const Function*> by_name_;
};

}  // namespace muster::jobs
