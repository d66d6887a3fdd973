// Payloads, errors and outcomes: what several kinds of rows contain.
#pragma once

#include "service/rows/detail/reader.h"
#include "service/rows/detail/writer.h"
#include "service/values/outcome.h"
#include "service/values/words.h"

namespace muster::rows::detail {

void Write(const values::Words& words, Writer& writer);
void Write(const values::Payload& payload, Writer& writer);
void Write(const values::Outcome& outcome, Writer& writer);

values::Words ReadWords(Reader& reader, const char* field);
values::Payload ReadPayload(Reader& reader, const char* field);
// Null when the reader is no longer ok.
values::OutcomeRef ReadOutcome(Reader& reader, const char* field);

}  // namespace muster::rows::detail
