#include "muster/main.h"

using muster::values::Payload;

absl::StatusOr<Payload> Greet(muster::jobs::BlockingContext&, Payload name) {
  return Payload::Text("Hello, " + name.body() + "!");
}

int main(int argc, char** argv) {
  return muster::app::Main(argc, argv, [](muster::jobs::Registry& registry) {
    return registry.AddBlocking("greet", "Greets whoever is named.", Payload::Text("World"), Greet);
  });
}
