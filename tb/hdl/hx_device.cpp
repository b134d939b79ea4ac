// State of the HBM device behind the pins: open rows, mode registers, memory, schedule of the data lanes; and the command record.
#include <cstdlib>
#include <vector>

#include "hx.h"
#include "hx_fault.h"

namespace hx {
namespace {

// hbm_pkg::cmd_e
enum Cmd : uint8_t { Nop, Act, Pre, Prea, Rd, Rda, Wr, Wra, Ref, Refsb, Rfm, Rfmsb, Mrs, Pde, Pdx, Sre, Srx };

constexpr unsigned kPcs = 2, kMaxBanks = 64, kSlots = 256, kBursts = 128;
constexpr unsigned kBurstBytes = 32, kHalf = 16, kCols = 32;
constexpr int32_t kClosed = -1;

struct Config {
  unsigned generation = 2, groups = 4, banks = 4, flat_banks = 16, rows = 16384;
  bool has_mask = true;
} config;

struct Page {
  uint32_t written;  // one bit per column
  uint8_t data[kCols * kBurstBytes];
};

struct Address {
  unsigned pc, flat, row, col;
};

// One burst on its way to or from the lanes.
struct Burst {
  Address where;
  uint8_t data[kBurstBytes];
  uint32_t mask;
};

// What the lanes of one PC do in one CK: half 0 = nothing due, 1 = first, 2 = second half of `burst`.
struct Slot {
  uint8_t read_half = 0, write_half = 0, burst = 0;
};

struct Lanes {
  Slot slots[kSlots];
  Burst bursts[kBursts];
  unsigned next = 0;
  uint64_t last_col = 0;  // CK + 2 of the last column command; 0: none
};

Lanes lanes[kPcs];
int32_t open_row[kPcs][kMaxBanks];
uint8_t mode_reg[32];
bool modes_changed = false, self_refresh = false;
unsigned rl = 0, wl = 0;
uint64_t reads = 0;
std::vector<Page*> pages;

Page*& page(unsigned pc, unsigned flat, unsigned row) {
  return pages[(static_cast<size_t>(pc) * config.flat_banks + flat) * config.rows + row];
}

// Contents of 32 bytes that were never written (docs/bench.md).
void unwritten(const Address& at, uint8_t* out) {
  const unsigned bank = at.flat % config.banks, group = at.flat / config.banks % config.groups;
  const unsigned sid = at.flat / (config.banks * config.groups);
  const uint64_t base = at.col | uint64_t{bank} << 8 | uint64_t{group} << 12 | uint64_t{sid} << 16 |
                        uint64_t{at.pc} << 20 | uint64_t{at.row} << 24;
  for (uint64_t w = 0; w < 4; w++) {
    const uint64_t word = mix(hx_ctl.seed + kGolden * ((base | w << 6) + 1));
    std::memcpy(out + 8 * w, &word, 8);
  }
}

void fetch(const Address& at, uint8_t* out) {
  const Page* p = page(at.pc, at.flat, at.row);
  if (p && (p->written >> at.col & 1)) {
    std::memcpy(out, p->data + at.col * kBurstBytes, kBurstBytes);
  } else {
    unwritten(at, out);
  }
}

// Bytes whose mask bit is set keep their value.
void store(const Address& at, const uint8_t* data, uint32_t mask) {
  Page*& p = page(at.pc, at.flat, at.row);
  if (!p) p = static_cast<Page*>(std::calloc(1, sizeof(Page)));
  uint8_t* to = p->data + at.col * kBurstBytes;
  if (mask == 0) {
    std::memcpy(to, data, kBurstBytes);
  } else {
    if (!(p->written >> at.col & 1)) unwritten(at, to);
    for (unsigned i = 0; i < kBurstBytes; i++) {
      if (!(mask >> i & 1)) to[i] = data[i];
    }
  }
  p->written |= 1u << at.col;
}

// RL and WL as programmed; 0 where the register was never written.
void decode_latencies(uint64_t time) {
  modes_changed = false;
  if (config.generation == 2) {
    rl = 2 + (mode_reg[2] >> 3) + (mode_reg[4] & 0x20 ? 32 : 0);
    wl = 1 + (mode_reg[2] & 7) + (mode_reg[4] & 0x10 ? 8 : 0);
  } else {
    rl = mode_reg[2];
    wl = mode_reg[1] & 31;
  }
  hx_ctl.dev_rl = rl;
  hx_ctl.dev_wl = wl;
  if (hx_ctl.expect_rl && hx_ctl.expect_rl != rl) error(time, HX_ERR_RL_MISMATCH, rl, hx_ctl.expect_rl);
  if (hx_ctl.expect_wl && hx_ctl.expect_wl != wl) error(time, HX_ERR_WL_MISMATCH, wl, hx_ctl.expect_wl);
  if (rl < 4 || wl < 4) error(time, HX_ERR_LATENCY_SHORT, rl, wl);
}

bool written_modes = false;

void column(uint64_t time, const hx_cmd_rec& c, unsigned flat) {
  const bool is_read = c.cmd == Rd || c.cmd == Rda;
  const uint64_t ck = time / 2;
  progress(time / 4);
  if (!written_modes) error(time, HX_ERR_LATENCY_UNSET, 0, 0);
  if (modes_changed) decode_latencies(time);
  int32_t& row = open_row[c.pc][flat];
  Lanes& l = lanes[c.pc];
  if (row == kClosed) {
    error(time, HX_ERR_COL_CLOSED_BANK, unsigned{c.pc} << 8 | flat, 0);
    return;
  }
  if (ck < l.last_col) {
    error(time, HX_ERR_COL_SLOT, c.pc, 0);
    return;
  }
  l.last_col = ck + 2;
  const unsigned index = l.next++ % kBursts;
  Burst& burst = l.bursts[index];
  burst.where = {c.pc, flat, static_cast<unsigned>(row), c.col % kCols};
  burst.mask = 0;
  const uint64_t due = ck + (is_read ? rl : wl);
  Slot &first = l.slots[due % kSlots], &second = l.slots[(due + 1) % kSlots];
  if (first.read_half || first.write_half || second.read_half || second.write_half) {
    error(time, HX_ERR_DATA_COLLISION, c.pc, 0);
  } else {
    first.burst = second.burst = static_cast<uint8_t>(index);
    if (is_read) {
      Address where = burst.where;
      where.col = read_column(where.col, reads);
      fetch(where, burst.data);
      read_lanes(burst.data, reads);
      reads++;
      first.read_half = 1;
      second.read_half = 2;
      hx_ctl.dev_reads++;
    } else {
      first.write_half = 1;
      second.write_half = 2;
      hx_ctl.dev_writes++;
    }
  }
  if (c.cmd == Rda || c.cmd == Wra) row = kClosed;
}

// All banks of PC `pc` (or of every PC) are idle; else an error of kind `code` for the first that is not.
void require_idle(uint64_t time, unsigned pc, bool every_pc, uint32_t code) {
  for (unsigned p = every_pc ? 0 : pc; p <= (every_pc ? kPcs - 1 : pc); p++) {
    for (unsigned b = 0; b < config.flat_banks; b++) {
      if (open_row[p][b] != kClosed) {
        error(time, code, p << 8 | b, 0);
        return;
      }
    }
  }
}

}  // namespace

void reset_device() {
  for (auto& pc : open_row) {
    for (auto& row : pc) row = kClosed;
  }
  for (auto& l : lanes) l = Lanes{};
  std::memset(mode_reg, 0, sizeof mode_reg);
  modes_changed = written_modes = self_refresh = false;
  rl = wl = 0;
  reads = 0;
  hx_ctl.dev_rl = hx_ctl.dev_wl = hx_ctl.dev_reads = hx_ctl.dev_writes = hx_ctl.cmd_count = 0;
}

}  // namespace hx

extern "C" {

void hx_dev_config(unsigned generation, unsigned sids, unsigned groups, unsigned banks, unsigned rows, unsigned has_mask) {
  using namespace hx;
  config = {generation, groups, banks, sids * groups * banks, rows, has_mask != 0};
  pages.assign(static_cast<size_t>(kPcs) * config.flat_banks * rows, nullptr);
}

// A decoded command; `word` is {row, col, bank, bg, sid, pc, cmd}, the second half of hx_cmd_rec.
void hx_dev_cmd(unsigned long long time, unsigned long long word) {
  using namespace hx;
  hx_cmd_rec c;
  std::memcpy(&c.cmd, &word, 8);
  const unsigned flat = ((c.sid * config.groups + c.bg) * config.banks + c.bank) % config.flat_banks;
  int32_t& row = open_row[c.pc][flat];
  switch (c.cmd) {
    case Rd: case Rda: case Wr: case Wra:
      column(time, c, flat);
      break;
    case Act:
      if (row != kClosed) error(time, HX_ERR_ACT_OPEN_BANK, unsigned{c.pc} << 8 | flat, 0);
      if (!written_modes) error(time, HX_ERR_INIT_ORDER, 5, 0);
      if (c.row >= config.rows) {
        error(time, HX_ERR_ROW_RANGE, unsigned{c.pc} << 8 | flat, c.row);
      } else {
        row = c.row;
      }
      break;
    case Pre:
      row = kClosed;
      break;
    case Prea:
      for (auto& r : open_row[c.pc]) r = kClosed;
      break;
    case Refsb: case Rfmsb:
      if (row != kClosed) error(time, HX_ERR_REF_OPEN_BANK, unsigned{c.pc} << 8 | flat, 0);
      break;
    case Ref: case Rfm:
      require_idle(time, c.pc, false, HX_ERR_REF_OPEN_BANK);
      break;
    case Sre:
      require_idle(time, 0, true, HX_ERR_REF_OPEN_BANK);
      break;
    case Mrs:
      require_idle(time, 0, true, HX_ERR_MRS_OPEN_BANK);
      mode_reg[c.row >> 8 & 31] = static_cast<uint8_t>(c.row);
      if ((c.row >> 8) == 2) written_modes = true;
      modes_changed = true;
      break;
    default:
      break;
  }
}

// Lanes at the end of `cycle`. Bits 3:0: PC p drives read data in phase q of the next cycle at bit 2p + q; bits 7:4: write
// data is due in this cycle, likewise.
unsigned hx_dev_lanes(unsigned long long cycle) {
  using namespace hx;
  unsigned out = 0;
  for (unsigned pc = 0; pc < kPcs; pc++) {
    for (unsigned phase = 0; phase < 2; phase++) {
      const unsigned bit = pc * 2 + phase;
      out |= unsigned{lanes[pc].slots[(2 * (cycle + 1) + phase) % kSlots].read_half != 0} << bit;
      out |= unsigned{lanes[pc].slots[(2 * cycle + phase) % kSlots].write_half != 0} << (bit + 4);
    }
  }
  return out;
}

// Half a burst for the read lanes in CK `ck`.
void hx_dev_read(unsigned pc, unsigned long long ck, svBitVecVal* out) {
  using namespace hx;
  Slot& slot = lanes[pc].slots[ck % kSlots];
  std::memcpy(out, lanes[pc].bursts[slot.burst].data + (slot.read_half - 1) * kHalf, kHalf);
  slot.read_half = 0;
}

// Half a burst from the write lanes in CK `ck`; `driven` 0: the lanes were not driven.
void hx_dev_write(unsigned pc, unsigned long long ck, unsigned driven, unsigned mask, const svBitVecVal* data) {
  using namespace hx;
  Slot& slot = lanes[pc].slots[ck % kSlots];
  Burst& burst = lanes[pc].bursts[slot.burst];
  const unsigned half = slot.write_half - 1;
  slot.write_half = 0;
  if (!driven) {
    error(ck * 2, HX_ERR_WRITE_NO_DATA, pc, 0);
    mask = 0xffff;
  } else if (!config.has_mask && mask) {
    error(ck * 2, HX_ERR_MASK_WITHOUT_PINS, pc, mask);
  }
  // HBM2 MR4[1] switches the mask pins off.
  if (driven && (!config.has_mask || (mode_reg[4] & 2))) mask = 0;
  std::memcpy(burst.data + half * kHalf, data, kHalf);
  burst.mask |= mask << (half * kHalf);
  if (half == 1 && burst.mask != 0xffffffffu) store(burst.where, burst.data, burst.mask);
}

// Append a command to the record. Returns 1 when the planted parity fault is to strike now.
unsigned hx_record(unsigned long long time, unsigned long long word) {
  using namespace hx;
  if (hx_cmd_rec* room = Ring_cmd::room()) {
    room->time = recorded_time(time, hx_ctl.cmd_count);
    std::memcpy(&room->cmd, &word, 8);
    Ring_cmd::push();
  }
  const bool flip = fault(HX_FAULT_PARITY_FLIP, hx_ctl.cmd_count);
  hx_ctl.cmd_count++;
  return flip;
}

// ---------------------------------------------------------------- back door for Python (between evaluations only)

void hx_mem_store(unsigned pc, unsigned flat, unsigned row, unsigned byte, const uint8_t* data, unsigned size) {
  using namespace hx;
  for (unsigned i = 0; i < size; i++, byte++) {
    uint8_t one[kBurstBytes];
    one[byte % kBurstBytes] = data[i];
    store({pc, flat, row, byte / kBurstBytes}, one, ~(1u << byte % kBurstBytes));
  }
}

void hx_mem_fetch(unsigned pc, unsigned flat, unsigned row, unsigned byte, uint8_t* data, unsigned size) {
  using namespace hx;
  for (unsigned i = 0; i < size; i++, byte++) {
    uint8_t one[kBurstBytes];
    fetch({pc, flat, row, byte / kBurstBytes}, one);
    data[i] = one[byte % kBurstBytes];
  }
}

// Forget everything that was written.
void hx_mem_clear() {
  for (auto& p : hx::pages) {
    std::free(p);
    p = nullptr;
  }
}

}  // extern "C"
