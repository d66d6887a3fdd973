# What the project builds on, found once. Protobuf has no CMake config on Debian, so FindProtobuf comes before gRPC.
find_package(Threads REQUIRED)
find_package(Protobuf REQUIRED)
find_package(gRPC CONFIG REQUIRED)
find_package(absl CONFIG REQUIRED)
find_package(fmt CONFIG REQUIRED)
find_package(GTest REQUIRED)
# Its registry's data model and serializer alone (prometheus-cpp::core), never its HTTP server.
find_package(prometheus-cpp CONFIG REQUIRED)
# Beast and Asio, headers only: the admin listener.
find_package(Boost 1.74 REQUIRED)
