#include <iostream>

#include "muster/client.h"

int main(int argc, char** argv) {
  auto client = muster::client::Client::Connect(argc > 1 ? argv[1] : "127.0.0.1:7411");
  if (!client.ok()) {
    std::cerr << client.status() << "\n";
    return 2;
  }
  auto answer = client->Call("echo", muster::client::FromText("hello"));
  if (!answer.ok()) {
    std::cerr << answer.status() << "\n";
    return 1;
  }
  std::cout << answer->text() << "\n";
}
