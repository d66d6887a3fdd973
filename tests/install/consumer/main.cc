#include <cstdio>

#include "service/base/clock.h"

int main() {
  muster::base::ManualClock clock;
  std::puts("linked");
  return 0;
}
