// What contradicts itself in a record. Recovery refuses such a store, and the offline audit reports it: by this one
// list.
#pragma once

#include <string>
#include <vector>

#include "service/core/record/record.h"

namespace muster::core {

// Each in a few words; empty when the record is sound by itself.
std::vector<std::string> DamageOf(const FutureRecord& record);
std::vector<std::string> DamageOf(const RequestRecord& record);
// Of the members beside their future's record.
std::vector<std::string> DamageOf(const FutureRecord& record, const MembersRecord& members);

}  // namespace muster::core
