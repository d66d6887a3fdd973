// The golden list: every metric of the server in one table, with its type, labels and help. The handles in metrics.h,
// the page /metrics, docs/reference/metrics.md and the tests are made from it.
//
// Labels hold words of bounded sets only: methods, states, reasons, registered functions. No ids, no free text.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string_view>

namespace muster::metrics {

enum class Type { kCounter, kGauge, kHistogram };

// Upper bounds of a histogram's buckets.
enum class Buckets {
  kNone,
  kLatency,   // 25 us to 60 s: what the service itself takes
  kDuration,  // 1 ms to a day: what jobs take
};

// X(Id, "name", Type, Buckets, "labels, separated by commas", "help")
#define MUSTER_METRICS(X)                                                                                              \
  X(RpcStarted, "grpc_server_started_total", kCounter, kNone, "grpc_type,grpc_service,grpc_method",                    \
    "RPCs that reached a handler.")                                                                                    \
  X(RpcHandled, "grpc_server_handled_total", kCounter, kNone, "grpc_type,grpc_service,grpc_method,grpc_code",          \
    "RPCs that ended, whatever their status.")                                                                         \
  X(RpcMsgReceived, "grpc_server_msg_received_total", kCounter, kNone, "grpc_type,grpc_service,grpc_method",           \
    "Messages received from clients.")                                                                                 \
  X(RpcMsgSent, "grpc_server_msg_sent_total", kCounter, kNone, "grpc_type,grpc_service,grpc_method",                   \
    "Messages sent to clients.")                                                                                       \
  X(RpcHandling, "grpc_server_handling_seconds", kHistogram, kLatency, "grpc_type,grpc_service,grpc_method",           \
    "From an RPC's arrival to its end. Call, Wait, Gather and streams include the wait itself.")                       \
  X(Futures, "muster_futures", kGauge, kNone, "state", "Futures held, done ones that are retained included.")          \
  X(FuturesSubmitted, "muster_futures_submitted_total", kCounter, kNone, "function,kind",                              \
    "Futures made. The function is none for what is no job, other past 256 functions.")                                \
  X(FuturesDone, "muster_futures_done_total", kCounter, kNone, "function,state",                                       \
    "Futures that ended: succeeded, failed or cancelled.")                                                             \
  X(JobQueue, "muster_job_queue_seconds", kHistogram, kLatency, "",                                                    \
    "From when a job could start to the start of its body.")                                                           \
  X(JobQueueAge, "muster_job_queue_age_seconds", kGauge, kNone, "",                                                    \
    "How long the oldest job that waits for a thread of the blocking pool has waited; 0 when none does.")              \
  X(FuturesUnserved, "muster_futures_unserved", kGauge, kNone, "",                                                     \
    "Futures that are queued because nobody serves their function.")                                                   \
  X(JobReruns, "muster_job_reruns_total", kCounter, kNone, "function",                                                 \
    "Jobs that start again because the server ended while they ran.")                                                  \
  X(JobRun, "muster_job_run_seconds", kHistogram, kDuration, "function", "From the start of a job's body to its end.") \
  X(SubmitToDone, "muster_submit_to_done_seconds", kHistogram, kDuration, "", "From a job's submit to its end.")       \
  X(CancelLatency, "muster_cancel_latency_seconds", kHistogram, kLatency, "",                                          \
    "From the first cancel of a future to its end.")                                                                   \
  X(WaitsOpen, "muster_waits_open", kGauge, kNone, "", "Open Wait, Gather and Call.")                                  \
  X(WaitMembers, "muster_wait_members", kGauge, kNone, "", "Members of all open waits together.")                      \
  X(StreamsOpen, "muster_streams_open", kGauge, kNone, "rpc", "Open AsCompleted and Run streams.")                     \
  X(LoopLag, "muster_loop_lag_seconds", kGauge, kNone, "loop",                                                         \
    "The longest turn or timer delay of a loop since the scrape before: what may have been added to an answer.")       \
  X(LoopTurns, "muster_loop_turns_total", kCounter, kNone, "", "Turns of all loops.")                                  \
  X(LoopBlocked, "muster_loop_blocked_total", kCounter, kNone, "loop", "Times that one resume held up its loop.")      \
  X(PoolThreads, "muster_blocking_pool_threads", kGauge, kNone, "", "Threads of the blocking pool.")                   \
  X(PoolBusy, "muster_blocking_pool_busy", kGauge, kNone, "", "Threads of the blocking pool that run a job.")          \
  X(PoolQueueLength, "muster_blocking_pool_queue_length", kGauge, kNone, "", "Jobs that wait for a thread.")           \
  X(PoolQueueCapacity, "muster_blocking_pool_queue_capacity", kGauge, kNone, "", "Jobs that may wait for a thread.")   \
  X(PoolQueueWait, "muster_blocking_pool_queue_wait_seconds", kHistogram, kLatency, "",                                \
    "How long a job waited for a thread of the blocking pool.")                                                        \
  X(PoolRejected, "muster_blocking_pool_rejected_total", kCounter, kNone, "",                                          \
    "Jobs refused because the queue was full.")                                                                        \
  X(PoolAbandoned, "muster_blocking_pool_abandoned", kGauge, kNone, "",                                                \
    "Threads that still run the body of a future that was cancelled or timed out.")                                    \
  X(ReactorFds, "muster_reactor_fds", kGauge, kNone, "", "Sockets that the reactor watches.")                          \
  X(ReactorEvents, "muster_reactor_events_total", kCounter, kNone, "", "Events that the reactor has posted.")          \
  X(LimitHits, "muster_limit_hits_total", kCounter, kNone, "reason", "Requests refused because of a limit.")           \
  X(Limit, "muster_limit", kGauge, kNone, "limit",                                                                     \
    "A limit in force, by its name in the configuration without limits. before it.")                                   \
  X(MemoryLimit, "muster_memory_limit_bytes", kGauge, kNone, "",                                                       \
    "Memory that the process may use by its control group; 0 when nothing limits it.")                                 \
  X(UnretrievedErrors, "muster_unretrieved_errors_total", kCounter, kNone, "",                                         \
    "Failed futures that were forgotten before anybody asked for their error.")                                        \
  X(GraceExpired, "muster_wait_for_grace_expired_total", kCounter, kNone, "",                                          \
    "wait_for that gave up on an inner future which did not end after its cancel.")                                    \
  X(Namespaces, "muster_namespaces", kGauge, kNone, "", "Namespaces in use.")                                          \
  X(NamespaceBytes, "muster_namespace_bytes", kGauge, kNone, "", "Bytes that futures of all namespaces hold.")         \
  X(LogDropped, "muster_log_dropped_total", kCounter, kNone, "", "Log entries lost because the writer was too slow.")  \
  X(Ready, "muster_ready", kGauge, kNone, "", "1 while the server takes new work, else 0.")                            \
  X(BuildInfo, "muster_build_info", kGauge, kNone, "version,revision,grpc,compiler", "Always 1; the labels tell.")     \
  X(Durability, "muster_durability", kGauge, kNone, "mode", "1 for the durability in force.")                          \
  X(JournalCommit, "muster_journal_commit_seconds", kHistogram, kLatency, "",                                          \
    "From when a commit was taken up to when it was durable.")                                                         \
  X(JournalRows, "muster_journal_rows_total", kCounter, kNone, "", "Rows put or deleted by commits.")                  \
  X(JournalBatches, "muster_journal_batches_total", kCounter, kNone, "",                                               \
    "Batches of loops that commits were made of; over the number of commits it is how many shared one.")               \
  X(JournalLogBytes, "muster_journal_log_bytes_total", kCounter, kNone, "", "Bytes written to the store's log.")       \
  X(StoreDisk, "muster_store_disk_bytes", kGauge, kNone, "", "Bytes of the store's files.")                            \
  X(StoreDiskMax, "muster_store_disk_bytes_max", kGauge, kNone, "", "store.bytes_max; 0 when there is no limit.")      \
  X(StoreFree, "muster_store_free_bytes", kGauge, kNone, "", "Room on the disk that the store lies on.")               \
  X(StoreRows, "muster_store_rows", kGauge, kNone, "", "Rows in the store, an estimate.")                              \
  X(StoreStalls, "muster_store_stalls_total", kCounter, kNone, "",                                                     \
    "Times that the store held writes up to catch up with its compaction.")                                            \
  X(StoreErrors, "muster_store_background_errors_total", kCounter, kNone, "", "Errors of the store's own work.")       \
  X(StoreFull, "muster_store_full", kGauge, kNone, "", "1 while new futures are refused with STORE_FULL.")             \
  X(StoreFailed, "muster_store_failed", kGauge, kNone, "", "1 once the disk has failed: nothing is acknowledged.")     \
  X(RecoverySeconds, "muster_recovery_seconds", kGauge, kNone, "", "How long the start read the store.")               \
  X(RecoveredFutures, "muster_recovered_futures", kGauge, kNone, "", "Futures that the start found in the store.")     \
  X(ProcessResident, "process_resident_memory_bytes", kGauge, kNone, "", "Resident memory.")                           \
  X(ProcessVirtual, "process_virtual_memory_bytes", kGauge, kNone, "", "Virtual memory.")                              \
  X(ProcessCpu, "process_cpu_seconds_total", kCounter, kNone, "", "CPU time, user and system together.")               \
  X(ProcessFds, "process_open_fds", kGauge, kNone, "", "Open file descriptors.")                                       \
  X(ProcessFdsMax, "process_max_fds", kGauge, kNone, "", "File descriptors that the process may open.")                \
  X(ProcessThreads, "process_threads", kGauge, kNone, "", "Threads of the process.")                                   \
  X(ProcessStart, "process_start_time_seconds", kGauge, kNone, "", "When the process started, in seconds since 1970.")

enum class Id : std::size_t {
#define MUSTER_METRIC_ID(id, name, type, buckets, labels, help) k##id,
  MUSTER_METRICS(MUSTER_METRIC_ID)
#undef MUSTER_METRIC_ID
};

struct Definition {
  std::string_view name;
  Type type;
  Buckets buckets;
  std::string_view labels;  // separated by commas
  std::string_view help;
};

inline constexpr Definition kDefinitions[] = {
#define MUSTER_METRIC_DEFINITION(id, name, type, buckets, labels, help) \
  {name, Type::type, Buckets::buckets, labels, help},
    MUSTER_METRICS(MUSTER_METRIC_DEFINITION)
#undef MUSTER_METRIC_DEFINITION
};

inline constexpr std::size_t kMetricCount = std::size(kDefinitions);
constexpr const Definition& DefinitionOf(Id id) { return kDefinitions[static_cast<std::size_t>(id)]; }

std::span<const double> BoundsOf(Buckets buckets);

}  // namespace muster::metrics
