// Misbehaviour of the timed side that tests of the bench plant on purpose (records.Fault): all of it, one function per kind.
//
// hx_ctl.fault names the kind, fault_at the number of the event (from 0, counted since reset or, for responses, since the fault
// was set) and fault_arg a detail. Responses and handshakes: port 0 only. While hx_ctl.fault is 0 each hook costs one compare.
#pragma once
#include "hx.h"

namespace hx {

inline bool fault_is(hx_fault_kind kind) { return __builtin_expect(hx_ctl.fault == kind, 0); }

// The fault of this kind strikes at event number `count`.
inline bool fault(hx_fault_kind kind, uint64_t count) {
  if (!fault_is(kind) || count != hx_ctl.fault_at) return false;
  hx_ctl.fault_hits++;
  return true;
}

// READY bits (AR, AW, W) that stay low from handshake fault_at of channel fault_arg on.
inline uint32_t stuck_ready(const uint64_t (&handshakes)[3]) {
  const uint64_t channel = hx_ctl.fault_arg % 3;
  if (!fault_is(HX_FAULT_STUCK_READY) || handshakes[channel] < hx_ctl.fault_at) return 0;
  hx_ctl.fault_hits = 1;
  return 1u << channel;
}

// READY bits (AR, AW, W) that are low while VALID (`up`) stands for handshake fault_at of a channel, for some cycles.
inline uint32_t paused_ready(const uint64_t (&handshakes)[3], uint32_t up) {
  const uint64_t channel = (hx_ctl.fault_arg & 3) % 3;
  if (!fault_is(HX_FAULT_READY_PAUSE) || handshakes[channel] != hx_ctl.fault_at || !(up >> channel & 1)) return 0;
  if (hx_ctl.fault_hits == hx_ctl.fault_arg >> 8) return 0;
  hx_ctl.fault_hits++;
  return 1u << channel;
}

// Time that the recorder notes for command number `count`: one of them earlier than it came.
inline uint64_t recorded_time(uint64_t time, uint64_t count) {
  if (!fault(HX_FAULT_EARLY_COMMAND, count)) return time;
  return time - 2 * (hx_ctl.fault_arg ? hx_ctl.fault_arg : 1);
}

// Column that read number `count` of the device takes its data from: bits 0 and 1 exchanged from one read on.
inline unsigned read_column(unsigned col, uint64_t count) {
  if (!fault_is(HX_FAULT_ADDRESS_SWAP) || count < hx_ctl.fault_at) return col;
  hx_ctl.fault_hits++;
  return (col & ~3u) | (col & 1) << 1 | (col >> 1 & 1);
}

// Data of read number `count`: noise on one lane.
inline void read_lanes(uint8_t* data, uint64_t count) {
  if (fault(HX_FAULT_LANE_POISON, count)) data[0] ^= 0xa5, data[4] ^= 0x5a;
}

// Faults of the R and B channel of one port.
class ResponseFaults {
 public:
  // Hands `rec` to `deliver` as the fault wants: changed, never, twice, or after the next beat of its id.
  template <class Deliver>
  void read_beat(hx_r_rec rec, Deliver deliver) {
    if (fault(HX_FAULT_DATA_BYTE, beats_++)) rec.data[hx_ctl.fault_arg % sizeof rec.data] ^= 0xff;
    if (holds_ && held_.id == rec.id) {
      holds_ = false;
      deliver(rec);
      deliver(held_);
      return;
    }
    if (rec.last) {
      const uint64_t burst = bursts_++;
      if (hx_ctl.fault_arg == 0 && fault(HX_FAULT_DROP_RESPONSE, burst)) return;
      if (hx_ctl.fault_arg == 0 && fault(HX_FAULT_DUPLICATE_RESPONSE, burst)) deliver(rec);
      if (fault(HX_FAULT_SWAP_RESPONSES, burst)) {
        held_ = rec;
        holds_ = true;
        return;
      }
    }
    deliver(rec);
  }

  // How often a B arrives.
  unsigned write_copies() {
    if (hx_ctl.fault_arg != 1) return 1;
    const uint64_t count = writes_++;
    if (fault(HX_FAULT_DROP_RESPONSE, count)) return 0;
    return fault(HX_FAULT_DUPLICATE_RESPONSE, count) ? 2 : 1;
  }

 private:
  hx_r_rec held_;
  bool holds_ = false;
  uint64_t beats_ = 0, bursts_ = 0, writes_ = 0;
};

}  // namespace hx
