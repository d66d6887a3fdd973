// Any bytes as a message of a Run stream: the reader says what protobuf's parser says, whole or item by item.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include <google/protobuf/stubs/common.h>

#include "service/base/check.h"
#include "tests/unit/wire/run_messages.h"

namespace muster::wire {
namespace {

const dispatch::Directory& Functions() {
  static const dispatch::Directory& directory = *[] {
    auto* made = new jobs::Registry();  // neither dies: the process ends by a signal
    auto* served = new dispatch::Directory();
    const auto body = [](jobs::JobContext&, values::Payload input) -> coro::Task<absl::StatusOr<values::Payload>> {
      co_return input;
    };
    for (const char* name : {"echo", "e"})
      MUSTER_CHECK(made->AddAsync(name, "for tests", values::Payload(), body).ok());
    MUSTER_CHECK(served->ServeAll(*made).ok());
#if GOOGLE_PROTOBUF_VERSION < 4022000
    google::protobuf::SetLogHandler(nullptr);  // it reports each text that is no UTF-8
#endif
    return served;
  }();
  return directory;
}

}  // namespace
}  // namespace muster::wire

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  // Small, so that inputs of both sizes are soon found.
  muster::wire::RunRequestReader reader(muster::wire::Functions(), 20);
  const auto wanted = muster::wire::ReadByProtobuf(bytes);
  MUSTER_CHECK(muster::wire::ReadByReader(reader, bytes) == wanted) << "read otherwise than protobuf does";
  reader.set_plain_calls(false);
  MUSTER_CHECK(muster::wire::ReadByReader(reader, bytes) == wanted) << "read otherwise than protobuf does, as messages";
  return 0;
}
