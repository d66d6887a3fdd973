// Looking: the answers to queries.
#pragma once

#include "service/core/door/query.h"

namespace muster::core {

struct Turn;

GetFuture::Answer Look(Turn& turn, const GetFuture& query);
TakeOutcomes::Answer Look(Turn& turn, const TakeOutcomes& query);
ListFutures::Answer Look(Turn& turn, const ListFutures& query);
ListGroup::Answer Look(Turn& turn, const ListGroup& query);
GetProgress::Answer Look(Turn& turn, const GetProgress& query);
GetStats::Answer Look(const Turn& turn, const GetStats& query);

}  // namespace muster::core
