// MUSTER_CHECK(condition) << "what else is known": for what only a bug can cause. Prints and aborts, in every build.
// What a client or an operator can cause is an absl::Status instead.
//
//   MUSTER_CHECK(state_ == State::kOpen) << "closed twice: " << name_;
//   MUSTER_CHECK_EQ(live_, 0u) << "tasks outlive their scope";
//   MUSTER_DCHECK(...)   // compiled but not evaluated under NDEBUG: for the hottest paths only
#pragma once

#include <sstream>

namespace muster::base::detail {

class CheckFailure {
 public:
  CheckFailure(const char* file, int line, const char* expression);
  [[noreturn]] ~CheckFailure();
  CheckFailure(const CheckFailure&) = delete;
  CheckFailure& operator=(const CheckFailure&) = delete;
  std::ostream& stream() { return text_; }

 private:
  std::ostringstream text_;
};

// Binds weaker than << and stronger than ?: so that the macro is one expression of type void.
struct CheckVoidify {
  void operator&(std::ostream&) {}
};

}  // namespace muster::base::detail

#define MUSTER_CHECK(condition)                     \
  __builtin_expect(static_cast<bool>(condition), 1) \
      ? static_cast<void>(0)                        \
      : ::muster::base::detail::CheckVoidify() &    \
            ::muster::base::detail::CheckFailure(__FILE__, __LINE__, #condition).stream()

#define MUSTER_CHECK_OP_(a, op, b) MUSTER_CHECK((a)op(b)) << "(" << (a) << " against " << (b) << ") "
#define MUSTER_CHECK_EQ(a, b) MUSTER_CHECK_OP_(a, ==, b)
#define MUSTER_CHECK_NE(a, b) MUSTER_CHECK_OP_(a, !=, b)
#define MUSTER_CHECK_LT(a, b) MUSTER_CHECK_OP_(a, <, b)
#define MUSTER_CHECK_LE(a, b) MUSTER_CHECK_OP_(a, <=, b)
#define MUSTER_CHECK_GT(a, b) MUSTER_CHECK_OP_(a, >, b)
#define MUSTER_CHECK_GE(a, b) MUSTER_CHECK_OP_(a, >=, b)

#ifdef NDEBUG
#define MUSTER_DCHECK(condition) MUSTER_CHECK(true || (condition))
#else
#define MUSTER_DCHECK(condition) MUSTER_CHECK(condition)
#endif
