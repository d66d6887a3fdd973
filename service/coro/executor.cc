#include "service/coro/executor.h"

#include <memory>
#include <utility>

namespace muster::coro {
namespace {

thread_local Executor* current_executor = nullptr;

class PostedFunction final : public Runnable {
 public:
  explicit PostedFunction(base::UniqueFunction<void()> function) : Runnable(&RunOnce), function_(std::move(function)) {}

 private:
  static void RunOnce(Runnable& runnable) {
    const std::unique_ptr<PostedFunction> self(static_cast<PostedFunction*>(&runnable));
    self->function_();
  }

  base::UniqueFunction<void()> function_;
};

}  // namespace

Executor* Executor::Current() { return current_executor; }

Executor::CurrentScope::CurrentScope(Executor& executor) : previous_(current_executor) { current_executor = &executor; }
Executor::CurrentScope::~CurrentScope() { current_executor = previous_; }

void Executor::Post(base::UniqueFunction<void()> function) { Post(*new PostedFunction(std::move(function))); }

}  // namespace muster::coro
