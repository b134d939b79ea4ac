// Main of the cocotb executable: the VPI regions of a time step where somebody asked for them, plain evaluation elsewhere.
//
// Between two wake-ups of Python nothing is registered but the next deadline, and asking VPI at every clock edge whether there is
// work costs a quarter of the run. cocotb's own main does that; the order of the regions is the same here (IEEE 1800 4.4).
#include <algorithm>
#include <cstdint>
#include <memory>

#include "Vtop.h"
#include "verilated.h"
#include "verilated_vpi.h"
#if VM_COVERAGE
#include "verilated_cov.h"
#endif

extern "C" void vlog_startup_routines_bootstrap(void);

namespace {

constexpr uint64_t kNever = ~uint64_t{0};

void settle() {
  while (VerilatedVpi::callValueCbs()) {
  }
}

// Whether a callback other than a deadline waits: then every region of every time step counts.
bool asked() {
  return VerilatedVpi::hasCbs(cbValueChange) || VerilatedVpi::hasCbs(cbReadWriteSynch) || VerilatedVpi::hasCbs(cbReadOnlySynch) ||
         VerilatedVpi::hasCbs(cbNextSimTime) || VerilatedVpi::evalNeeded();
}

void step(Vtop& top) {
  do {
    do {
      top.eval_step();
      VerilatedVpi::clearEvalNeeded();
      VerilatedVpi::doInertialPuts();
      settle();
    } while (VerilatedVpi::evalNeeded());
    VerilatedVpi::callCbs(cbReadWriteSynch);
    VerilatedVpi::doInertialPuts();
    settle();
  } while (VerilatedVpi::evalNeeded());
  top.eval_end_step();
  VerilatedVpi::callCbs(cbReadOnlySynch);
}

uint64_t next_of(Vtop& top) { return top.eventsPending() ? top.nextTimeSlot() : kNever; }

void wrap_up(void*) {
  VerilatedVpi::callCbs(cbEndOfSimulation);
#if VM_COVERAGE
  VerilatedCov::write();  // to +verilator+coverage+file+NAME
#endif
}

}  // namespace

int main(int argc, char** argv) {
  const auto context = std::make_unique<VerilatedContext>();
  Verilated::threadContextp(context.get());
  context->commandArgs(argc, argv);
  context->traceEverOn(true);
  context->fatalOnVpiError(false);  // a name that does not exist is Python's to report
  const auto top = std::make_unique<Vtop>(context.get(), "");
  vlog_startup_routines_bootstrap();
  Verilated::addExitCb(wrap_up, nullptr);
  VerilatedVpi::callCbs(cbStartOfSimulation);
  settle();
  while (!context->gotFinish()) {
    step(*top);
    uint64_t deadline = VerilatedVpi::cbNextDeadline();
    uint64_t next = next_of(*top);
    if (!asked()) {
      while (next < deadline && !context->gotFinish()) {
        context->time(next);
        top->eval();
        next = next_of(*top);
      }
      if (context->gotFinish()) break;
    }
    const uint64_t now = std::min(deadline, next);
    if (now == kNever) break;
    context->time(now);
    VerilatedVpi::callCbs(cbNextSimTime);
    settle();
    VerilatedVpi::callTimedCbs();
    settle();
  }
  top->final();
  wrap_up(nullptr);
  return context->errorCount() > 0 ? 1 : 0;
}
