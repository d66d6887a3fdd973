// The list of verbs against the service that the proto file declares.
#include "service/verbs/list.h"

#include <set>
#include <string>
#include <string_view>

#include "gmock/gmock.h"
#include "google/protobuf/descriptor.h"
#include "gtest/gtest.h"

#include "muster/v1/future_service.pb.h"

namespace muster::verbs {
namespace {

struct Verb {
  std::string_view name;
  std::string_view shape;
};
#define MUSTER_NAMED(name, shape) Verb{#name, #shape},
constexpr Verb kVerbs[] = {MUSTER_FUTURE_VERBS(MUSTER_NAMED)};
#undef MUSTER_NAMED

const google::protobuf::ServiceDescriptor& FutureService() {
  return *v1::SubmitRequest::descriptor()->file()->FindServiceByName("FutureService");
}

TEST(VerbList, NamesEveryMethodOfTheServiceOnce) {
  std::set<std::string> declared;
  for (int index = 0; index < FutureService().method_count(); ++index) {
    declared.insert(FutureService().method(index)->name());
  }
  std::multiset<std::string> listed;
  for (const Verb& verb : kVerbs) listed.emplace(verb.name);
  EXPECT_THAT(listed, testing::ElementsAreArray(declared));
}

TEST(VerbList, AShapeIsWhatTheProtoFileSays) {
  for (const Verb& verb : kVerbs) {
    const auto* method = FutureService().FindMethodByName(std::string(verb.name));
    ASSERT_NE(method, nullptr) << verb.name;
    EXPECT_EQ(method->client_streaming(), verb.shape == "StreamBytes") << verb.name;
    EXPECT_EQ(method->server_streaming(), verb.shape == "StreamBytes" || verb.shape == "ServerStream") << verb.name;
    EXPECT_EQ(method->input_type()->name(), std::string(verb.name) + "Request");
    EXPECT_EQ(method->output_type()->name(), std::string(verb.name) + "Response");
  }
}

}  // namespace
}  // namespace muster::verbs
