// Rings, control block and the untimed half of the AXI and APB masters. Never calls Python.
#include "hx.h"
#include "hx_fault.h"

#include "verilated.h"

extern "C" {
extern const uint64_t hx_abi = HX_ABI;
alignas(64) hx_ctl_block hx_ctl = [] {
  hx_ctl_block c{};
  for (unsigned p = 0; p < HX_PORTS; p++) c.ready_r[p] = c.ready_b[p] = HX_READY_ALWAYS;
  c.watchdog = 20000;
  c.record_acc = 1;
  c.temp = 3;  // gray code of refresh at 1 x tREFI
  return c;
}();
#define HX_RING_HEAD(name, record, capacity) \
  {reinterpret_cast<uint64_t>(hx::Ring_##name::data), sizeof(record), capacity, 0, 0},
alignas(64) hx_ring_head hx_rings[HX_RINGS] = {HX_FOR_EACH_RING(HX_RING_HEAD)};

// Assertion failures and $error calls of the simulator: they do not reach results.xml on their own.
int hx_sv_errors() { return static_cast<int>(Verilated::threadContextp()->errorCount()); }
}

namespace hx {

void error(uint64_t time, uint32_t code, uint32_t a, uint64_t b) {
  hx_ctl.errors++;
  if (hx_err_rec* e = Ring_err::room()) {
    *e = {time, code, a, b};
    Ring_err::push();
  }
}

void lost(unsigned ring) {
  // The error ring cannot report itself: it is full.
  if (hx_ctl.lost++ == 0 && ring != HX_RING_ERR) error(hx_ctl.cycle * 4, HX_ERR_RING_FULL, ring, 0);
}

namespace {

// Half CK of the start of a cycle.
constexpr uint64_t time_of(uint64_t cycle) { return cycle * 4; }

// Lengths of the open bursts of one id, in order of acceptance.
struct OpenReads {
  static constexpr unsigned kDepth = 1024;  // far above what the channel can hold for one id
  uint16_t beats[kDepth];
  uint32_t head = 0, tail = 0;
};

template <class Ar, class Aw, class W, class R, class B, class Acc, unsigned P>
struct Port {
  static constexpr unsigned kIds = 64;
  bool ar_up = false, aw_up = false, w_up = false;
  uint64_t ar_rose = 0, aw_rose = 0, w_rose = 0;
  // Cycle from which the gap of the next record counts: the one after the last acceptance.
  uint64_t ar_from = 0, aw_from = 0, w_from = 0;
  uint64_t aw_offered = 0, w_bursts = 0;
  bool ordered_aw = false, ordered_w = false;  // halves of the ordered write under way that were accepted
  OpenReads reads[kIds];
  uint32_t writes[kIds] = {};
  ResponseFaults faults;

  void record(uint64_t cycle, uint64_t rose, uint8_t kind, uint8_t last, uint16_t id) {
    progress(cycle);
    if (!hx_ctl.record_acc) return;
    if (hx_acc_rec* a = Acc::room()) {
      *a = {cycle, static_cast<uint32_t>(cycle - rose), kind, last, id};
      Acc::push();
    }
  }

  static uint64_t& valid_since(unsigned kind) { return hx_ctl.valid_since[P * 3 + kind]; }

  void ordered_half(bool& mine) {
    mine = true;
    if (ordered_aw && ordered_w) {
      ordered_aw = ordered_w = false;
      hx_ctl.ordered_done[P]++;
    }
  }

  bool may_offer(const hx_ax_rec& rec, uint64_t from, uint64_t cycle) const {
    if (cycle < rec.at || cycle < from + rec.gap) return false;
    if (!rec.flags) return true;
    if ((rec.flags & HX_FLAG_ORDERED) && rec.order != static_cast<uint32_t>(hx_ctl.ordered_done[P])) return false;
    if ((rec.flags & HX_FLAG_AFTER_B) && (aw_up || hx_ctl.writes_open[P])) return false;
    if ((rec.flags & HX_FLAG_AFTER_R) && (ar_up || hx_ctl.reads_open[P])) return false;
    return true;
  }

  // Handshakes of cycle `cycle` in, new VALIDs and the READYs of the next cycle out.
  uint32_t tick(uint64_t cycle, uint32_t fires) {
    if (fires & 1) {
      const hx_ax_rec& rec = Ar::front();
      record(cycle, ar_rose, HX_ACC_AR, 0, rec.id);
      OpenReads& open = reads[rec.id % kIds];
      open.beats[open.tail++ % OpenReads::kDepth] = rec.len + 1;
      hx_ctl.reads_open[P]++;
      hx_ctl.ar_count[P]++;
      if (rec.flags & HX_FLAG_ORDERED) hx_ctl.ordered_done[P]++;
      ar_up = false;
      valid_since(HX_ACC_AR) = 0;
      ar_from = cycle + 1;
      Ar::pop();
    }
    if (fires & 2) {
      const hx_ax_rec& rec = Aw::front();
      record(cycle, aw_rose, HX_ACC_AW, 0, rec.id);
      writes[rec.id % kIds]++;
      hx_ctl.writes_open[P]++;
      hx_ctl.aw_count[P]++;
      if (rec.flags & HX_FLAG_ORDERED) ordered_half(ordered_aw);
      aw_up = false;
      valid_since(HX_ACC_AW) = 0;
      aw_from = cycle + 1;
      Aw::pop();
    }
    if (fires & 4) {
      const hx_w_rec& rec = W::front();
      record(cycle, w_rose, HX_ACC_W, rec.last, 0);
      hx_ctl.w_count[P]++;
      if (rec.last) {
        w_bursts++;
        if (rec.flags & HX_FLAG_ORDERED) ordered_half(ordered_w);
      }
      w_up = false;
      valid_since(HX_ACC_W) = 0;
      w_from = cycle + 1;
      W::pop();
    }
    const uint64_t next = cycle + 1;
    uint32_t out = 0;
    if (!(hx_ctl.hold >> P & 1)) {
      if (!aw_up && !Aw::empty() && may_offer(Aw::front(), aw_from, next)) {
        aw_up = true;
        aw_rose = next;
        valid_since(HX_ACC_AW) = next + 1;
        aw_offered++;
        out |= 2;
      }
      if (!ar_up && !Ar::empty() && may_offer(Ar::front(), ar_from, next)) {
        ar_up = true;
        ar_rose = next;
        valid_since(HX_ACC_AR) = next + 1;
        out |= 1;
      }
      if (!w_up && !W::empty()) {
        const hx_w_rec& rec = W::front();
        if (next >= w_from + rec.gap && (!(rec.flags & HX_FLAG_ORDERED) || aw_offered > w_bursts)) {
          w_up = true;
          w_rose = next;
          valid_since(HX_ACC_W) = next + 1;
          out |= 4;
        }
      }
    }
    out |= ready(next, 0, hx_ctl.ready_r[P]) << 3 | ready(next, 1, hx_ctl.ready_b[P]) << 4;
    if (P == 0 && __builtin_expect(hx_ctl.fault != HX_FAULT_NONE, 0)) out |= cut(next) << 5;
    return out;
  }

  // Channels (AR, AW, W) whose VALID and READY a planted fault cuts in cycle `next`.
  uint32_t cut(uint64_t next) {
    const uint64_t handshakes[3] = {hx_ctl.ar_count[P], hx_ctl.aw_count[P], hx_ctl.w_count[P]};
    const uint32_t stuck = stuck_ready(handshakes);
    // The channel does not see this VALID: it has not risen yet. (A paused READY instead stands for a channel at fault.)
    uint64_t* const rose[3] = {&ar_rose, &aw_rose, &w_rose};
    for (unsigned kind = 0; kind < 3; kind++) {
      if (!(stuck >> kind & 1)) continue;
      *rose[kind] = next + 1;
      if (valid_since(kind)) valid_since(kind) = next + 2;
    }
    return stuck | paused_ready(handshakes, uint32_t{ar_up} | uint32_t{aw_up} << 1 | uint32_t{w_up} << 2);
  }

  static uint32_t ready(uint64_t cycle, unsigned channel, uint64_t probability) {
    if (probability >= HX_READY_ALWAYS) return 1;
    return (mix(hx_ctl.ready_seed + kGolden * (cycle * 4 + P * 2 + channel + 1)) & 255) < probability;
  }

  static void deliver(const hx_r_rec& rec) {
    if (hx_r_rec* room = R::room()) {
      *room = rec;
      R::push();
    }
  }

  void read_beat(uint64_t cycle, uint32_t meta, const svBitVecVal* data) {
    const uint16_t id = meta & 0xff;
    const uint8_t resp = meta >> 8 & 3, last = meta >> 10 & 1;
    progress(cycle);
    hx_ctl.r_count[P]++;
    OpenReads& open = reads[id % kIds];
    if (open.head == open.tail) {
      error(time_of(cycle), HX_ERR_R_SURPLUS, P, id);
    } else {
      uint16_t& left = open.beats[open.head % OpenReads::kDepth];
      left--;
      if ((left == 0) != (last != 0)) error(time_of(cycle), HX_ERR_R_LAST, P, id);
      if (left == 0) {
        open.head++;
        hx_ctl.reads_open[P]--;
      }
    }
    if (__builtin_expect(hx_ctl.fault == HX_FAULT_NONE || P != 0, 1)) {
      // Common case: straight into the ring.
      if (hx_r_rec* room = R::room()) {
        room->cycle = cycle;
        room->id = id;
        room->resp = resp;
        room->last = last;
        std::memcpy(room->data, data, sizeof room->data);
        R::push();
      }
      return;
    }
    hx_r_rec rec{};
    rec.cycle = cycle;
    rec.id = id;
    rec.resp = resp;
    rec.last = last;
    std::memcpy(rec.data, data, sizeof rec.data);
    faults.read_beat(rec, deliver);
  }

  void write_response(uint64_t cycle, uint32_t meta) {
    const uint16_t id = meta & 0xff;
    progress(cycle);
    hx_ctl.b_count[P]++;
    if (writes[id % kIds] == 0) {
      error(time_of(cycle), HX_ERR_B_SURPLUS, P, id);
    } else {
      writes[id % kIds]--;
      hx_ctl.writes_open[P]--;
    }
    unsigned copies = P == 0 && hx_ctl.fault ? faults.write_copies() : 1;
    while (copies--) {
      if (hx_b_rec* room = B::room()) {
        *room = {cycle, id, static_cast<uint8_t>(meta >> 8 & 3), {}};
        B::push();
      }
    }
  }

  uint32_t waiting() const {
    return uint32_t{ar_up} | uint32_t{aw_up} << 1 | uint32_t{w_up} << 2 | uint32_t{hx_ctl.reads_open[P] != 0} << 3 |
           uint32_t{hx_ctl.writes_open[P] != 0} << 4;
  }
};

using Port0 = Port<Ring_ar0, Ring_aw0, Ring_w0, Ring_r0, Ring_b0, Ring_acc0, 0>;
using Port1 = Port<Ring_ar1, Ring_aw1, Ring_w1, Ring_r1, Ring_b1, Ring_acc1, 1>;
Port0 port0;
Port1 port1;

// What the channel sees besides requests and what the masters' READYs follow, as last told in the event ring.
struct Outside {
  uint64_t temp, seed, ready[HX_PORTS * 2];
};
Outside told{3, 0, {HX_READY_ALWAYS, HX_READY_ALWAYS, HX_READY_ALWAYS, HX_READY_ALWAYS}};  // TEMP as tb_top starts

void event(uint64_t cycle, uint32_t kind, uint32_t a, uint64_t b) {
  if (hx_ev_rec* e = Ring_ev::room()) {
    *e = {cycle, kind, a, b};
    Ring_ev::push();
  }
}

Outside outside() {
  Outside now{hx_ctl.temp & 7, hx_ctl.ready_seed, {}};
  for (unsigned p = 0; p < HX_PORTS; p++) {
    now.ready[p * 2] = hx_ctl.ready_r[p];
    now.ready[p * 2 + 1] = hx_ctl.ready_b[p];
  }
  return now;
}

// Tells what differs from `told` from `cycle` on; all of it after reset.
void tell_outside(uint64_t cycle, bool all) {
  const Outside now = outside();
  if (!all && __builtin_expect(std::memcmp(&now, &told, sizeof now) == 0, 1)) return;
  if (all || now.temp != told.temp) event(cycle, HX_EV_TEMP, 0, now.temp);
  if (all || now.seed != told.seed) event(cycle, HX_EV_SEED, 0, now.seed);
  for (unsigned c = 0; c < HX_PORTS * 2; c++)
    if (all || now.ready[c] != told.ready[c]) event(cycle, HX_EV_READY, c, now.ready[c]);
  told = now;
}

// The ring starts anew with a reset; nobody else's records of before are of use to a model that starts here.
void tell_reset() {
  Ring_ev::head().rd = Ring_ev::head().wr;
  event(0, HX_EV_RESET, 0, 0);
  const uint64_t temp = hx_ctl.temp;
  hx_ctl.temp = told.temp;  // the pins keep their value during reset
  tell_outside(0, true);
  hx_ctl.temp = temp;
}

bool reset_requested = false;
bool apb_up = false;
bool watchdog_barked = false;

void watch(uint64_t cycle) {
  const uint32_t waiting = port0.waiting() | port1.waiting() << 5 | uint32_t{apb_up} << 10;
  if (!waiting) {
    progress(cycle);
  } else if (cycle - hx_ctl.last_progress <= hx_ctl.watchdog) {
    watchdog_barked = false;
  } else if (!watchdog_barked) {
    watchdog_barked = true;
    error(time_of(cycle), HX_ERR_WATCHDOG, waiting, cycle - hx_ctl.last_progress);
  }
}

}  // namespace

void forget_requests() {
  for (unsigned ring : {HX_RING_AR0, HX_RING_AR1, HX_RING_AW0, HX_RING_AW1, HX_RING_W0, HX_RING_W1, HX_RING_APB_REQ})
    hx_rings[ring].rd = hx_rings[ring].wr;
  hx_ctl.errors = hx_ctl.lost = hx_ctl.fault_hits = 0;
}

void reset_masters() {
  port0 = Port0{};
  port1 = Port1{};
  apb_up = false;
  watchdog_barked = false;
  for (unsigned p = 0; p < HX_PORTS; p++) {
    hx_ctl.ordered_done[p] = hx_ctl.reads_open[p] = hx_ctl.writes_open[p] = 0;
    hx_ctl.ar_count[p] = hx_ctl.aw_count[p] = hx_ctl.w_count[p] = hx_ctl.r_count[p] = hx_ctl.b_count[p] = 0;
  }
  for (uint64_t& since : hx_ctl.valid_since) since = 0;
  hx_ctl.cycle = hx_ctl.last_progress = 0;
}

}  // namespace hx

// ---------------------------------------------------------------- DPI

extern "C" {

void hx_mem_clear();

// In the last cycle of a reset. One that was asked for also starts with empty memory and forgets requests and errors.
void hx_reset() {
  if (hx::reset_requested) {
    hx::reset_requested = false;
    hx::forget_requests();
    hx_mem_clear();
  }
  hx::reset_masters();
  hx::reset_device();
  hx::tell_reset();
}

unsigned hx_port(unsigned port, unsigned long long cycle, unsigned fires) {
  return port == 0 ? hx::port0.tick(cycle, fires) : hx::port1.tick(cycle, fires);
}

// Payload of the AR (kind 0) or AW (kind 1) that hx_port has just offered: {qos, lock, burst, size, len, id, addr}.
void hx_ax(unsigned port, unsigned kind, svBitVecVal* out) {
  const hx_ax_rec& rec = port == 0 ? (kind == 0 ? hx::Ring_ar0::front() : hx::Ring_aw0::front())
                                   : (kind == 0 ? hx::Ring_ar1::front() : hx::Ring_aw1::front());
  out[0] = static_cast<uint32_t>(rec.addr);
  out[1] = static_cast<uint32_t>(rec.addr >> 32 & 0xff) | (rec.id & 0xffu) << 8 | uint32_t{rec.len} << 16 |
           (rec.size & 7u) << 24 | (rec.burst & 3u) << 27 | (rec.lock & 1u) << 29;
  out[2] = rec.qos & 15u;
}

// Payload of the W beat: {last, strb, data}.
void hx_w(unsigned port, svBitVecVal* out) {
  const hx_w_rec& rec = port == 0 ? hx::Ring_w0::front() : hx::Ring_w1::front();
  std::memcpy(out, rec.data, sizeof rec.data);
  out[8] = rec.strb;
  out[9] = rec.last;
}

void hx_r(unsigned port, unsigned long long cycle, unsigned meta, const svBitVecVal* data) {
  port == 0 ? hx::port0.read_beat(cycle, meta, data) : hx::port1.read_beat(cycle, meta, data);
}

void hx_b(unsigned port, unsigned long long cycle, unsigned meta) {
  port == 0 ? hx::port0.write_response(cycle, meta) : hx::port1.write_response(cycle, meta);
}

void hx_error(unsigned long long time, unsigned code, unsigned a, unsigned long long b) { hx::error(time, code, a, b); }

// Once a cycle. Out: bit 1 reset is asked for, bits 4:2 TEMP, bit 5 a register access may start in the next cycle,
// bits 8:6 DERR1, DERR0, AERR.
unsigned hx_cycle(unsigned long long cycle, unsigned irq) {
  hx_ctl.cycle = cycle + 1;
  hx_ctl.irq = irq;
  if (hx_ctl.watchdog) hx::watch(cycle);
  hx::tell_outside(cycle + 1, false);
  unsigned out = (hx_ctl.reset != 0) << 1 | (hx_ctl.temp & 7) << 2 | (hx_ctl.alert & 7) << 6;
  if (!hx::apb_up && !hx::Ring_apb_req::empty() && hx::Ring_apb_req::front().at <= cycle + 1) out |= 32;
  return out;
}

// Length in cycles of the reset that was asked for; the request is thereby taken.
unsigned hx_take_reset() {
  const unsigned cycles = static_cast<unsigned>(hx_ctl.reset);
  hx_ctl.reset = 0;
  hx::reset_requested = true;
  return cycles;
}

void hx_set_in_reset(unsigned value) { hx_ctl.in_reset = value; }

// Payload of the register access: {strb, write, data, addr}.
void hx_apb_request(svBitVecVal* out) {
  const hx_apb_req_rec& rec = hx::Ring_apb_req::front();
  hx::apb_up = true;
  out[0] = rec.addr;
  out[1] = rec.data;
  out[2] = (rec.write & 1u) | (rec.strb & 15u) << 1;
}

void hx_apb_response(unsigned long long cycle, unsigned data, unsigned slverr) {
  hx::apb_up = false;
  hx::progress(cycle);
  const hx_apb_req_rec& req = hx::Ring_apb_req::front();
  if (req.write)
    hx::event(cycle, HX_EV_REGISTER, req.addr, uint64_t{req.data} | uint64_t{req.strb & 15u} << 32 | uint64_t{slverr & 1} << 36);
  if (hx_apb_rsp_rec* room = hx::Ring_apb_rsp::room()) {
    *room = {cycle, data, static_cast<uint8_t>(slverr), req.write, {}};
    hx::Ring_apb_rsp::push();
  }
  hx::Ring_apb_req::pop();
}

}  // extern "C"
