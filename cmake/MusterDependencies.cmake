# What the project builds on, found once. Each line that starts with find_package is a need of the installed libraries
# too: muster-config.cmake repeats it. What only the tests need is indented below.
#
# Protobuf has no CMake config on Debian, so FindProtobuf comes before gRPC.
find_package(Threads REQUIRED)
find_package(Protobuf REQUIRED)
find_package(gRPC CONFIG REQUIRED)
find_package(absl CONFIG REQUIRED)
find_package(fmt CONFIG REQUIRED)
find_package(nlohmann_json REQUIRED)
# Its registry's data model and serializer alone (prometheus-cpp::core), never its HTTP server.
find_package(prometheus-cpp CONFIG REQUIRED)
# Beast and Asio, headers only: the admin listener.
find_package(Boost 1.74 REQUIRED)
# The built-in functions: digests, http.request.
find_package(OpenSSL REQUIRED)
find_package(CURL REQUIRED)
# The embedded store.
find_package(RocksDB CONFIG REQUIRED)
# The server's options and log.
find_package(CLI11 CONFIG REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(spdlog CONFIG REQUIRED)
# The embedded store.
find_package(RocksDB CONFIG REQUIRED)

if(PROJECT_IS_TOP_LEVEL AND MUSTER_TESTS)
  find_package(GTest REQUIRED)
endif()
