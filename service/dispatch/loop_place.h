// The loop itself as a place: coroutines, as many as come.
#pragma once

#include <cstdint>

#include "service/dispatch/directory.h"
#include "service/dispatch/host.h"
#include "service/dispatch/place.h"

namespace muster::dispatch {

class LoopPlace final : public Place {
 public:
  // `directory`: where bodies find the functions of the children that they submit.
  LoopPlace(Host& host, Runs& runs, const Directory& directory) : host_(host), runs_(runs), directory_(directory) {}

  size_t Room() override { return SIZE_MAX; }
  void GiveRoomBack() override {}
  // The body begins when the loop's ready list comes to it.
  void Start(const jobs::Function& function, core::StartJob&& start, const Waited& waited) override;
  void Withdraw(Run& run) override;
  void Cancel(Run& run, const core::CancelJob& cancel) override;

 private:
  class Body;

  Host& host_;
  Runs& runs_;
  const Directory& directory_;
};

}  // namespace muster::dispatch
