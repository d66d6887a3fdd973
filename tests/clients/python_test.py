"""Python's gRPC on generated stubs: every RPC as a Python programmer would call it."""

import queue
import threading
import time

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
from google.protobuf.descriptor_pool import DescriptorPool

import runner
import suite
from suite import ServerCase, call, future_pb2, ids, pb, seconds

Code = grpc.StatusCode
SUCCEEDED = future_pb2.FUTURE_STATE_SUCCEEDED
FAILED = future_pb2.FUTURE_STATE_FAILED
CANCELLED = future_pb2.FUTURE_STATE_CANCELLED
RUNNING = future_pb2.FUTURE_STATE_RUNNING
PENDING = future_pb2.FUTURE_STATE_PENDING


class Submitting(ServerCase):
    def test_submit_gives_an_id_and_the_future_ends(self):
        answer = self.rpc.Submit(pb.SubmitRequest(namespace=self.ns, future=call("echo", {"a": [1, "two", None]})))
        self.assertTrue(0 < len(answer.id) <= 32)
        waited = self.wait(answer.id)
        self.assertEqual(waited.end, future_pb2.WAIT_END_SATISFIED)
        self.assertEqual(waited.done[0].id, answer.id)
        self.assertEqual(waited.done[0].outcome.value.json.struct_value["a"][1], "two")

    def test_the_same_request_id_gives_the_same_future(self):  # semantics 102
        spec = call("echo", "once", request_id="order-17")
        first = self.rpc.Submit(pb.SubmitRequest(namespace=self.ns, future=spec))
        second = self.rpc.Submit(pb.SubmitRequest(namespace=self.ns, future=spec))
        self.assertEqual(first.id, second.id)
        self.assertFalse(first.deduplicated)
        self.assertTrue(second.deduplicated)

    def test_a_batch_has_a_status_for_each(self):
        request = pb.SubmitBatchRequest(namespace=self.ns, futures=[call("echo", 1), call("nobody"), call("echo", 3)])
        request.defaults.group = "batch"
        items = self.rpc.SubmitBatch(request).items
        self.assertEqual([item.status.code for item in items], [0, Code.NOT_FOUND.value[0], 0])
        self.assertEqual(items[1].status.reason, suite.error_pb2.ERROR_REASON_UNKNOWN_FUNCTION)
        self.assertIn("nobody", items[1].status.message)
        group = self.rpc.List(pb.ListRequest(namespace=self.ns, group="batch")).futures
        self.assertEqual({f.id for f in group}, {items[0].id, items[2].id})

    def test_call_brings_the_outcome_and_a_failure_is_no_rpc_error(self):
        done = self.rpc.Call(pb.CallRequest(namespace=self.ns, future=call("echo", text="hi"))).completion
        self.assertEqual((done.state, done.outcome.value.text), (SUCCEEDED, "hi"))
        spec = call("fail", {"type": "ValueError", "message": "no such color", "details": {"color": "mauve"}})
        error = self.rpc.Call(pb.CallRequest(namespace=self.ns, future=spec)).completion.outcome.error
        self.assertEqual((error.type, error.message), ("ValueError", "no such color"))
        self.assertEqual(error.kind, future_pb2.ERROR_KIND_APPLICATION)
        self.assertEqual(error.details.json.struct_value["color"], "mauve")

    def test_bytes_travel_as_they_are(self):
        data = bytes(range(256)) * 1000
        done = self.rpc.Call(pb.CallRequest(namespace=self.ns, future=call("echo", data=data))).completion
        self.assertEqual(done.outcome.value.data, data)

    def test_names_and_labels_are_kept(self):  # semantics 14
        id_ = self.submit(call("echo", 1, name="Müller's 7th", labels={"team": "blue"}))
        future = self.get(id_)
        self.assertEqual((future.name, dict(future.labels), future.function), ("Müller's 7th", {"team": "blue"}, "echo"))
        self.assertRegex(self.get(self.submit(call("echo", 1))).name, r"^Task-\d+$")

    def test_a_delayed_job_starts_later(self):
        id_ = self.submit(call("echo", 1, delay=seconds(0.3)))
        self.assertEqual(self.get(id_).state, future_pb2.FUTURE_STATE_DELAYED)
        future = self.wait(id_) and self.get(id_)
        self.assertGreaterEqual(future.start_time.ToMicroseconds() - future.create_time.ToMicroseconds(), 300_000)

    def test_a_run_timeout_fails_the_job(self):  # semantics 99
        id_ = self.submit(call("sleep", 30, run_timeout=seconds(0.1)))
        done = self.wait(id_).done[0]
        self.assertEqual((done.state, done.outcome.error.kind), (FAILED, future_pb2.ERROR_KIND_TIMED_OUT))


class Waiting(ServerCase):
    def test_duplicates_collapse_and_all_must_be_done(self):  # semantics 26
        one, two = self.submit(call("echo", 1)), self.submit(call("echo", 2))
        done = self.wait(one, two, one).done
        self.assertEqual({c.id for c in done}, {one, two})
        self.assertEqual(len(done), 2)

    def test_first_completed_shows_who_is_pending(self):  # semantics 29, 35
        quick, slow = self.submit(call("echo", 1)), self.submit(call("sleep", 60))
        answer = self.wait(quick, slow, return_when=future_pb2.RETURN_WHEN_FIRST_COMPLETED)
        self.assertEqual([c.id for c in answer.done], [quick])
        self.assertEqual((list(answer.pending_ids), answer.pending_count), ([slow], 1))
        self.assertEqual(self.get(slow).state, RUNNING)
        self.cancel(slow)

    def test_first_exception_ignores_the_cancelled(self):  # semantics 31, 33
        cancelled, slow = self.promise(), self.submit(call("sleep", 60))
        self.cancel(cancelled)
        answer = self.wait(cancelled, slow, return_when=future_pb2.RETURN_WHEN_FIRST_EXCEPTION, timeout=seconds(0.2))
        self.assertEqual(answer.end, future_pb2.WAIT_END_TIMED_OUT)
        failed = self.submit(call("fail", "x"))
        answer = self.wait(cancelled, slow, failed, return_when=future_pb2.RETURN_WHEN_FIRST_EXCEPTION)
        self.assertEqual(answer.end, future_pb2.WAIT_END_SATISFIED)
        self.assertIn(slow, answer.pending_ids)
        self.cancel(slow)

    def test_a_timeout_is_an_answer(self):  # semantics 27, 28
        slow = self.submit(call("sleep", 60))
        for timeout in (0, 0.2):
            answer = self.wait(slow, timeout=seconds(timeout))
            self.assertEqual(answer.end, future_pb2.WAIT_END_TIMED_OUT)
            self.assertEqual(list(answer.pending_ids), [slow])
        self.cancel(slow)

    def test_outcomes_are_left_out_on_request(self):
        done = self.wait(self.submit(call("echo", 1)), view=future_pb2.OUTCOME_VIEW_NONE).done[0]
        self.assertEqual(done.state, SUCCEEDED)
        self.assertFalse(done.HasField("outcome"))

    def test_a_deadline_that_passes_leaves_the_future_alive(self):  # semantics 98, 99
        promise = self.promise()
        for rpc, request in (
            (self.stub.Wait, pb.WaitRequest(namespace=self.ns, set=ids(promise))),
            (self.stub.AsCompleted, pb.AsCompletedRequest(namespace=self.ns, set=ids(promise))),
            (self.stub.Gather, pb.GatherRequest(namespace=self.ns, set=ids(promise))),
        ):
            refusal = self.refusal(lambda: rpc(request, timeout=0.15))
            self.assertEqual(refusal.code, Code.DEADLINE_EXCEEDED)
        self.assertEqual(self.get(promise).state, PENDING)
        # A Call's job goes on as well; its name finds it.
        spec = call("sleep", 60, name="left alone", group="left")
        refusal = self.refusal(lambda: self.stub.Call(pb.CallRequest(namespace=self.ns, future=spec), timeout=0.15))
        self.assertEqual(refusal.code, Code.DEADLINE_EXCEEDED)
        left = self.rpc.List(pb.ListRequest(namespace=self.ns, group="left")).futures
        self.assertEqual([(f.name, f.state) for f in left], [("left alone", RUNNING)])
        self.cancel(left[0].id)
        self.settle(promise)
        self.assert_nothing_left()  # semantics 36


class AsCompleted(ServerCase):
    def stream(self, set_, **fields):
        return self.stub.AsCompleted(pb.AsCompletedRequest(namespace=self.ns, set=set_, **fields), timeout=30)

    def test_completions_come_in_their_order_once_each(self):  # semantics 38, 39
        promises = [self.promise() for _ in range(5)]
        stream = self.stream(ids(*promises, promises[0]))
        order = [promises[i] for i in (3, 0, 4, 1, 2)]
        seen = []
        for id_ in order:  # one at a time, so that the order is the same over any number of shards
            self.settle(id_, id_)
            message = next(stream)
            seen += [(c.id, c.outcome.value.text) for c in message.completions]
        self.assertEqual(seen, [(id_, id_) for id_ in order])
        rest = list(stream)
        last = rest[-1] if rest else message
        self.assertEqual((last.remaining, last.end), (0, future_pb2.WAIT_END_SATISFIED))

    def test_an_empty_set_ends_at_once(self):  # semantics 37
        messages = list(self.stream(ids()))
        self.assertEqual(messages[-1].end, future_pb2.WAIT_END_SATISFIED)
        self.assertEqual([c for m in messages for c in m.completions], [])

    def test_it_goes_on_from_its_token_without_loss(self):  # semantics 42
        promises = [self.promise() for _ in range(6)]
        token, seen = "", []
        for id_ in promises[:3]:
            self.settle(id_)
            stream = self.stream(ids(*promises), resume_token=token)
            while not seen or seen[-1] != id_:
                message = next(stream)
                seen += [c.id for c in message.completions]
                token = message.resume_token
            stream.cancel()
        for id_ in promises[3:]:
            self.settle(id_)
        for message in self.stream(ids(*promises), resume_token=token):
            seen += [c.id for c in message.completions]
        self.assertEqual(set(seen), set(promises))
        self.assertEqual(seen[:3], promises[:3])

    def test_time_that_runs_out_is_said_in_the_last_message(self):  # semantics 40, 41
        quick, slow = self.submit(call("echo", 1)), self.promise()
        messages = list(self.stream(ids(quick, slow), timeout=seconds(0.2)))
        self.assertEqual([c.id for m in messages for c in m.completions], [quick])
        self.assertEqual((messages[-1].end, messages[-1].remaining), (future_pb2.WAIT_END_TIMED_OUT, 1))
        self.assertEqual(self.get(slow).state, PENDING)

    def test_an_id_that_vanished_between_two_streams_comes_as_expired(self):
        kept, short = self.promise(), self.promise(retention=seconds(0.05))
        stream = self.stream(ids(kept, short))
        self.settle(kept)
        token = next(stream).resume_token
        stream.cancel()
        self.settle(short)
        self.until(lambda: self.is_gone(short), "the short retention passes")
        seen = {c.id: c.state for m in self.stream(ids(kept, short), resume_token=token) for c in m.completions}
        self.assertEqual(seen.get(short), future_pb2.FUTURE_STATE_EXPIRED)

    def is_gone(self, id_):
        try:
            self.get(id_)
            return False
        except grpc.RpcError as error:
            return error.code() == Code.NOT_FOUND

    def test_a_group_is_a_set(self):
        for number in range(10):
            self.submit(call("echo", number, group="ten"))
        completions = [c for m in self.stream(future_pb2.FutureSet(group="ten")) for c in m.completions]
        self.assertEqual(sorted(c.outcome.value.json.number_value for c in completions), list(range(10)))

    def test_progress_is_told_when_asked_for(self):
        with open(f"{self.server.folder}/files/zeros", "wb") as file:
            file.write(bytes(1 << 20))
        id_ = self.submit(call("checksum", {"path": "zeros", "rounds": 100_000}))
        stream = self.stream(ids(id_), progress_interval=seconds(0.1))
        for message in stream:
            if id_ in message.progress:
                self.assertTrue(0 < message.progress[id_].fraction <= 1)
                break
        else:
            self.fail("no progress was told")
        self.cancel(id_)
        stream.cancel()


class Gathering(ServerCase):
    def gather(self, *members, **fields):
        request = pb.GatherRequest(namespace=self.ns, set=ids(*members), **fields)
        return list(self.stub.Gather(request, timeout=30))

    def test_results_come_in_input_order_with_duplicates(self):  # semantics 44, 45
        slow, quick = self.submit(call("sleep", 0.2)), self.submit(call("echo", text="quick"))
        slices = self.gather(quick, slow, quick)
        outcomes = [outcome for piece in slices for outcome in piece.outcomes]
        self.assertEqual([o.value.text for o in outcomes], ["quick", "", "quick"])
        self.assertEqual(slices[0].total, 3)

    def test_an_empty_gather_is_an_empty_list(self):  # semantics 43
        slices = self.gather()
        self.assertEqual([len(piece.outcomes) for piece in slices], [0])

    def test_a_gather_larger_than_a_message_comes_in_slices(self):
        text = "x" * 500_000
        members = [self.submit(call("echo", text=text + str(i))) for i in range(12)]
        slices = self.gather(*members)
        self.assertGreater(len(slices), 1)
        self.assertEqual([piece.offset for piece in slices][0], 0)
        outcomes = [outcome for piece in slices for outcome in piece.outcomes]
        self.assertEqual([o.value.text[500_000:] for o in outcomes], [str(i) for i in range(12)])

    def test_the_first_failure_comes_through_and_siblings_go_on(self):  # semantics 46
        bad, slow = self.submit(call("fail", {"type": "Bad", "message": "broken"})), self.submit(call("sleep", 60))
        answer = self.gather(slow, bad)[0]
        self.assertEqual((answer.error.type, answer.error_index, answer.error.origin_id), ("Bad", 1, bad))
        self.assertEqual(self.get(slow).state, RUNNING)
        self.cancel(slow)

    def test_with_return_exceptions_they_are_values(self):  # semantics 47
        bad, gone = self.submit(call("fail", "broken")), self.promise()
        self.cancel(gone, message="not needed")
        outcomes = self.gather(bad, gone, return_exceptions=True)[0].outcomes
        self.assertEqual([o.WhichOneof("kind") for o in outcomes], ["error", "cancelled"])
        self.assertEqual(outcomes[1].cancelled.message, "not needed")

    def test_a_submitted_gather_is_a_future(self):  # semantics 49
        members = [self.promise(), self.promise()]
        spec = future_pb2.FutureSpec(gather=future_pb2.GatherSpec(ids=members))
        gather = self.submit(spec)
        self.assertEqual(list(self.get(gather).member_ids), members)
        stream = self.stub.Gather(pb.GatherRequest(namespace=self.ns, gather_id=gather), timeout=30)
        self.cancel(gather, message="enough")
        self.assertEqual(next(stream).error.kind, future_pb2.ERROR_KIND_CANCELLED)
        self.assertEqual([self.get(member).state for member in members], [CANCELLED, CANCELLED])


class RunStream:
    """A Run stream with a queue for what is sent."""

    def __init__(self, stub, **options):
        self._queue = queue.Queue()
        self.responses = stub.Run(iter(self._queue.get, None), timeout=30)
        self._queue.put(pb.RunRequest(open=pb.RunOpen(**options)))
        self.first = next(self.responses)

    def send(self, **fields):
        self._queue.put(pb.RunRequest(**fields))

    def half_close(self):
        self._queue.put(None)


class Running(ServerCase):
    FLAGS = ("--limits-run-credits=8",)

    def test_credits_results_and_the_end(self):
        run = RunStream(self.stub, namespace=self.ns, acknowledge=True)
        self.assertEqual(run.first.credits, 8)
        credits, next_tag, done, accepted = run.first.credits, 0, {}, set()
        total = 100
        while len(done) < total:
            items = []
            while credits and next_tag < total:
                items.append(pb.RunRequest.Item(tag=next_tag, future=call("echo", next_tag)))
                next_tag, credits = next_tag + 1, credits - 1
            if items:
                run.send(items=items)
            message = next(run.responses)
            credits += message.credits + len(message.done)
            accepted |= {a.tag for a in message.accepted}
            for item in message.done:
                self.assertIn(item.tag, accepted, "nobody hears of an end before the acceptance")
                done[item.tag] = item.completion.outcome.value.json.number_value
        self.assertEqual(done, {tag: tag for tag in range(total)})
        run.half_close()
        self.assertEqual(list(run.responses), [])

    def test_one_that_is_refused_is_told_so_and_the_others_run(self):
        run = RunStream(self.stub, namespace=self.ns)
        items = [pb.RunRequest.Item(tag=1, future=call("nobody")), pb.RunRequest.Item(tag=2, future=call("echo", 2))]
        run.send(items=items)
        run.half_close()
        done = {item.tag: item for message in run.responses for item in message.done}
        self.assertEqual(done[1].rejected.reason, suite.error_pb2.ERROR_REASON_UNKNOWN_FUNCTION)
        self.assertEqual(done[2].completion.state, SUCCEEDED)

    def test_tags_are_cancelled(self):
        run = RunStream(self.stub, namespace=self.ns, acknowledge=True)
        run.send(items=[pb.RunRequest.Item(tag=7, future=call("sleep", 60))])
        self.assertEqual(next(run.responses).accepted[0].tag, 7)
        run.send(cancel_tags=[7, 99])
        self.assertEqual(next(run.responses).done[0].completion.state, CANCELLED)
        run.half_close()

    def test_half_close_drains(self):
        run = RunStream(self.stub, namespace=self.ns)
        run.send(items=[pb.RunRequest.Item(tag=tag, future=call("sleep", 0.1)) for tag in range(5)])
        run.half_close()
        self.assertEqual({item.tag for message in run.responses for item in message.done}, set(range(5)))

    def test_a_session_takes_up_the_same_jobs(self):  # semantics 102
        promise = self.promise()
        item = pb.RunRequest.Item(tag=1)
        item.future.shield.id = promise
        ids_seen = set()
        for _ in range(2):
            run = RunStream(self.stub, namespace=self.ns, session="s-1", acknowledge=True)
            run.send(items=[item])
            ids_seen.add(next(run.responses).accepted[0].id)
            run.responses.cancel()
        self.assertEqual(len(ids_seen), 1)
        self.settle(promise)


class Cancelling(ServerCase):
    def test_the_message_reaches_the_waiter(self):  # semantics 5, 8
        id_ = self.submit(call("sleep", 60))
        self.until_running(id_)
        answer = self.cancel(id_, message="lunch")
        self.assertEqual(answer.items[0].effect, future_pb2.CANCEL_EFFECT_REQUESTED)
        self.assertEqual(answer.requested_count, 1)
        done = self.wait(id_).done[0]
        self.assertEqual((done.state, done.outcome.cancelled.message), (CANCELLED, "lunch"))

    def test_a_delayed_job_never_runs(self):  # semantics 7
        id_ = self.submit(call("echo", 1, delay=seconds(60)))
        self.assertEqual(self.cancel(id_).items[0].effect, future_pb2.CANCEL_EFFECT_CANCELLED)
        self.assertEqual((self.get(id_).state, self.get(id_).HasField("start_time")), (CANCELLED, False))

    def test_a_group_is_cancelled(self):
        members = {self.submit(call("sleep", 60, group="all")) for _ in range(5)}
        request = pb.CancelRequest(namespace=self.ns, set=future_pb2.FutureSet(group="all"))
        self.assertEqual({item.id for item in self.rpc.Cancel(request).items}, members)
        self.assertEqual({c.state for c in self.wait(*members).done}, {CANCELLED})

    def test_a_shield_keeps_its_inner_running(self):  # semantics 53
        inner = self.promise()
        shield = self.submit(future_pb2.FutureSpec(shield=future_pb2.ShieldSpec(id=inner)))
        self.cancel(shield)
        self.assertEqual((self.get(shield).state, self.get(inner).state), (CANCELLED, PENDING))

    def test_wait_for_cancels_when_its_time_runs_out(self):  # semantics 56, 57
        inner = self.submit(call("sleep", 60))
        spec = future_pb2.FutureSpec(wait_for=future_pb2.WaitForSpec(id=inner, timeout=seconds(0.1)))
        done = self.wait(self.submit(spec)).done[0]
        self.assertEqual(done.outcome.error.kind, future_pb2.ERROR_KIND_TIMED_OUT)
        self.assertEqual(done.outcome.error.cause.kind, future_pb2.ERROR_KIND_CANCELLED)
        self.assertEqual(self.get(inner).state, CANCELLED)


class Promises(ServerCase):
    def test_one_client_settles_what_another_awaits(self):  # semantics 13
        promise = self.promise()
        answers = []
        waiter = threading.Thread(target=lambda: answers.append(self.wait(promise)))
        waiter.start()
        self.server.wait_for_metric("muster_waits_open", lambda value: value >= 1)
        with self.new_channel() as other:
            stub = suite.future_service_pb2_grpc.FutureServiceStub(other)
            value = future_pb2.Payload(text="from elsewhere")
            request = pb.SetResultRequest(namespace=self.ns, id=promise, value=value)
            self.assertEqual(stub.SetResult(request, timeout=30).state, SUCCEEDED)
        waiter.join()
        self.assertEqual(answers[0].done[0].outcome.value.text, "from elsewhere")

    def test_an_error_is_handed_on(self):
        promise = self.promise()
        error = future_pb2.Error(type="Rejected", message="not today")
        request = pb.SetExceptionRequest(namespace=self.ns, id=promise, error=error)
        self.assertEqual(self.rpc.SetException(request).state, FAILED)
        outcome = self.wait(promise).done[0].outcome
        self.assertEqual((outcome.error.type, outcome.error.kind), ("Rejected", future_pb2.ERROR_KIND_APPLICATION))

    def test_settling_is_repeatable_with_a_request_id(self):
        promise = self.promise()
        for _ in range(2):
            self.assertEqual(self.settle(promise, request_id="settle-1").state, SUCCEEDED)


class Looking(ServerCase):
    def test_list_comes_in_pages(self):
        members = {self.submit(call("echo", i, group="pages")) for i in range(25)}
        seen, token, pages = [], "", 0
        while True:
            answer = self.rpc.List(pb.ListRequest(namespace=self.ns, page_size=10, page_token=token))
            seen += [f.id for f in answer.futures]
            pages += 1
            token = answer.next_page_token
            if not token:
                break
        self.assertEqual(sorted(seen), sorted(members))
        self.assertGreaterEqual(pages, 3)

    def test_list_filters(self):  # semantics 22
        done, live = self.submit(call("echo", 1)), self.submit(call("sleep", 60, labels={"a": "b"}))
        self.wait(done)
        self.until_running(live)
        for fields in ({"states": [RUNNING]}, {"function": "sleep"}, {"labels": {"a": "b"}}):
            answer = self.rpc.List(pb.ListRequest(namespace=self.ns, **fields))
            self.assertEqual([f.id for f in answer.futures], [live], fields)
        self.cancel(live)

    def test_a_deleted_future_is_gone(self):
        id_ = self.submit(call("echo", 1))
        self.wait(id_)
        self.assertEqual(self.rpc.Delete(pb.DeleteRequest(namespace=self.ns, set=ids(id_))).deleted_count, 1)
        self.assertEqual(self.refusal(lambda: self.get(id_)).code, Code.NOT_FOUND)

    def test_info_and_functions(self):
        info = self.rpc.GetServerInfo(pb.GetServerInfoRequest())
        self.assertGreater(info.limits.set_max, 0)
        self.assertLess(abs(info.time.ToSeconds() - time.time()), 60)
        functions = {f.name: f for f in self.rpc.ListFunctions(pb.ListFunctionsRequest()).functions}
        expected = {"echo", "sleep", "fail", "checksum", "file.read", "file.write", "file.list", "http.request"}
        self.assertLessEqual(expected, set(functions))
        self.assertEqual(functions["checksum"].kind, future_pb2.FUNCTION_KIND_BLOCKING)

    def test_reflection_knows_the_service(self):
        database = ProtoReflectionDescriptorDatabase(self.channel)
        self.assertIn("muster.v1.FutureService", database.get_services())
        service = DescriptorPool(database).FindServiceByName("muster.v1.FutureService")
        self.assertEqual({m.name for m in service.methods}, {m.name for m in pb.DESCRIPTOR.services_by_name["FutureService"].methods})

    def test_health_is_served(self):
        health = health_pb2_grpc.HealthStub(self.channel)
        for service in ("", "muster.v1.FutureService"):
            answer = health.Check(health_pb2.HealthCheckRequest(service=service), timeout=30)
            self.assertEqual(answer.status, health_pb2.HealthCheckResponse.SERVING)
        watch = health.Watch(health_pb2.HealthCheckRequest(service=""), timeout=30)
        self.assertEqual(next(watch).status, health_pb2.HealthCheckResponse.SERVING)
        watch.cancel()
        refusal = self.refusal(lambda: health.Check(health_pb2.HealthCheckRequest(service="nobody"), timeout=30))
        self.assertEqual(refusal.code, Code.NOT_FOUND)


if __name__ == "__main__":
    runner.main()
