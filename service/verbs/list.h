// The RPCs of muster.v1.FutureService, each once: its name, and its shape. What a verb is declared as (handlers.h),
// what a front registers and what metrics call it follow from here. A new RPC is its messages in the proto, a line
// here, and a file in futures/ that CMakeLists.txt names.
//
// The shapes, which handlers.h declares and each front knows how to call:
//   Unary         one message in, one out
//   UnaryBytes    the same, as the bytes that they are on the wire
//   ServerStream  one message in, many out
//   StreamBytes   many in, many out, as bytes
#pragma once

#define MUSTER_FUTURE_VERBS(X) \
  X(Submit, Unary)             \
  X(SubmitBatch, Unary)        \
  X(Call, UnaryBytes)          \
  X(Run, StreamBytes)          \
  X(Wait, Unary)               \
  X(AsCompleted, ServerStream) \
  X(Gather, ServerStream)      \
  X(Get, Unary)                \
  X(List, Unary)               \
  X(Cancel, Unary)             \
  X(Delete, Unary)             \
  X(CreatePromise, Unary)      \
  X(SetResult, Unary)          \
  X(SetException, Unary)       \
  X(GetServerInfo, Unary)      \
  X(ListFunctions, Unary)
