#include <cstring>
#include <string>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/un.h>

#include "service/functions/http/address.h"

namespace muster::functions {
namespace {

bool Allows(const AddressPolicy& policy, const std::string& text) {
  sockaddr_storage storage = {};
  auto* ipv4 = reinterpret_cast<sockaddr_in*>(&storage);
  auto* ipv6 = reinterpret_cast<sockaddr_in6*>(&storage);
  if (inet_pton(AF_INET, text.c_str(), &ipv4->sin_addr) == 1) {
    ipv4->sin_family = AF_INET;
  } else if (inet_pton(AF_INET6, text.c_str(), &ipv6->sin6_addr) == 1) {
    ipv6->sin6_family = AF_INET6;
  } else {
    ADD_FAILURE() << text << " is no address";
  }
  return policy.Allows(reinterpret_cast<const sockaddr*>(&storage));
}

TEST(AddressPolicy, AllowsPublicAddresses) {
  const AddressPolicy policy = AddressPolicy::Make({}).value();
  for (const char* address : {"1.1.1.1",          "8.8.8.8",        "9.255.255.255",        "11.0.0.0",
                              "100.63.255.255",   "100.128.0.0",    "126.255.255.255",      "128.0.0.1",
                              "169.253.255.255",  "172.15.255.255", "172.32.0.0",           "192.0.1.0",
                              "192.167.255.255",  "198.17.255.255", "198.20.0.0",           "223.255.255.255",
                              "2606:4700::1111",  "2a00::1",        "2001:4860:4860::8888", "::ffff:8.8.8.8",
                              "64:ff9b::8.8.8.8", "2002:808:808::1"}) {
    EXPECT_TRUE(Allows(policy, address)) << address;
  }
}

TEST(AddressPolicy, RefusesAllThatIsNotPublicInEveryForm) {
  const AddressPolicy policy = AddressPolicy::Make({}).value();
  for (const char* address :
       {"0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.0", "100.127.255.255", "127.0.0.1",
        "127.255.255.255", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.2.1", "192.88.99.1",
        "192.168.1.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255",
        "240.0.0.1", "255.255.255.255",
        // IPv6's own
        "::", "::1", "fc00::1", "fdff::1", "fe80::1", "febf::1", "fec0::1", "ff02::1", "100::1", "2001::1", "2001:2::1",
        "2001:20::1", "2001:db8::1", "3fff::1", "5f00::1", "4000::1",
        // IPv4 in disguise
        "::127.0.0.1", "::8.8.8.8", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:0.0.0.0",
        "::ffff:0:127.0.0.1", "64:ff9b::127.0.0.1", "64:ff9b::10.1.2.3", "64:ff9b:1::8.8.8.8", "2002:7f00:1::1",
        "2002:a00:1::1", "2002:c0a8:101::"}) {
    EXPECT_FALSE(Allows(policy, address)) << address;
  }
}

TEST(AddressPolicy, AllowsWhatIsListedAndNothingBeside) {
  const AddressPolicy policy =
      AddressPolicy::Make({"127.0.0.1", "10.1.0.0/16", "172.16.0.0/13", "fd00:1::/32", "::1"}).value();
  for (const char* address : {"127.0.0.1", "10.1.0.0", "10.1.255.255", "172.23.255.255", "fd00:1::5", "::1",
                              "::ffff:127.0.0.1", "::ffff:10.1.2.3", "64:ff9b::10.1.2.3", "8.8.8.8"}) {
    EXPECT_TRUE(Allows(policy, address)) << address;
  }
  for (const char* address :
       {"127.0.0.2", "10.2.0.0", "10.0.255.255", "172.24.0.0", "fd00:2::5", "::2", "fd00::1", "64:ff9b::10.2.0.0"}) {
    EXPECT_FALSE(Allows(policy, address)) << address;
  }
}

TEST(AddressPolicy, ARangeOfEverythingIsEverything) {
  const AddressPolicy ipv4 = AddressPolicy::Make({"0.0.0.0/0"}).value();
  EXPECT_TRUE(Allows(ipv4, "127.0.0.1"));
  EXPECT_FALSE(Allows(ipv4, "::1"));
  const AddressPolicy ipv6 = AddressPolicy::Make({"::/0"}).value();
  EXPECT_TRUE(Allows(ipv6, "::1"));
  EXPECT_TRUE(Allows(ipv6, "fe80::1"));
}

TEST(AddressPolicy, OtherFamiliesAreRefused) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  EXPECT_FALSE(AddressPolicy::Make({"0.0.0.0/0", "::/0"}).value().Allows(reinterpret_cast<sockaddr*>(&address)));
}

TEST(AddressPolicy, NamesTheEntryThatIsNone) {
  for (const char* entry : {"", "localhost", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/", "10.0.0.0/8x", "10.0.0/8",
                            "::1/129", "fe80::1%lo", "/8", "10.0.0.0/8/8"}) {
    const absl::Status refused = AddressPolicy::Make({"10.0.0.0/8", entry}).status();
    EXPECT_EQ(refused.code(), absl::StatusCode::kInvalidArgument) << entry;
    EXPECT_NE(refused.message().find("\"" + std::string(entry) + "\""), std::string::npos) << refused;
  }
}

}  // namespace
}  // namespace muster::functions
