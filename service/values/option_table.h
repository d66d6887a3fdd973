// Every option of a future that a client can give, once. Made from the table are values::Options with its check, its
// part of a row, the conversion from the wire, the client's JobOptions with the conversion to the wire, and the flags
// of the command line. A new option is a row here and a field of the same name in future.proto.
//
// It has no types of its own, so that each user says what a kind is.
#pragma once

// clang-format off
// KEPT(name, kind, whom, most, bit, flag, shown, help): stays with the future, in values::Options and in its row.
// SAID(name, kind, whom, flag, shown, help): heard when it is submitted; wire/convert_submit.cc deals with each.
//   name    as in future.proto
//   kind    Text, Words, Span (a duration, 0 if absent), MaybeSpan (one that may be absent), Execution, Durability, Flag
//   whom    values::OptionFor: what is not meant by it is refused with it
//   most    what it is held to: a word of options.cc, or one of the server's limits
//   bit     in the mask of a row's options, for ever: numbers are given in order, and 10 is taken (rows/detail/form.h)
//   flag    of the command line, with what it shows for the value, and its help
#define MUSTER_JOB_OPTIONS(KEPT, SAID)                                                                                \
  KEPT(name, Text, kAny, AtMost(kNameMax), 0, "--name", "TEXT", "A name for people; default Task-N")                  \
  KEPT(labels, Words, kAny, AsLabels(), 1, "--label", "KEY=VALUE",                                                    \
       "A label for `muster ls`; may be given many times")                                                            \
  KEPT(group, Text, kAny, AtMost(kGroupMax), 2, "--group", "TEXT",                                                    \
       "A word that stands for all futures submitted with it")                                                        \
  KEPT(request_id, Text, kAny, AtMost(kRequestIdMax), 3, "--request-id", "ID",                                        \
       "Submitted again with the same id, it is the same future")                                                     \
  KEPT(request_id_ttl, Span, kAny, limits.request_id_ttl_max, 4, "--request-id-ttl", "DURATION",                      \
       "How long the request id outlives the future (max {request_id_ttl_max})")                                      \
  KEPT(delay, Span, kJobs, limits.delay_max, 5, "--delay", "DURATION", "Start no sooner than this")                   \
  KEPT(queue_timeout, MaybeSpan, kJobs, limits.delay_max, 7, "--queue-timeout", "DURATION",                           \
       "Fail if it has not started by then")                                                                          \
  KEPT(run_timeout, MaybeSpan, kJobs, limits.delay_max, 6, "--run-timeout", "DURATION",                               \
       "Cancel an attempt that runs longer")                                                                          \
  SAID(retention, MaybeSpan, kAny, "--retention", "DURATION", "How long the result is kept; default {retention}")     \
  SAID(min_durability, Durability, kAny, "--durability", "LEVEL",                                                     \
       "Refuse unless the server offers at least: none, async, sync")                                                 \
  KEPT(execution, Execution, kJobs, OneOfItsWords(), 9, "--at-most-once", "",                                         \
       "Never run it again after a crash of the server")                                                              \
  KEPT(metadata, Words, kBodies, AsMetadata(), 8, "--metadata", "KEY=VALUE",                                          \
       "Handed to the job, such as traceparent; may be given many times")                                             \
  SAID(cancel_on_disconnect, Flag, kAttached, "--cancel-on-disconnect", "",                                           \
       "Cancel the job if this command goes away")
// clang-format on

// For users that need one half of it.
#define MUSTER_NO_OPTION(...)
