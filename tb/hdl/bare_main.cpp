// Runs the test top without VPI, Python or checks: fills and drains the same rings from a stimulus file. The base of all speed ratios.
//
// +stim=FILE (rings.save_stimulus), +batch=CYCLES between two visits of the rings, +limit=CYCLES, +seed=N of unwritten memory,
// +cmds=FILE writes the command records, +prof=FILE where the time goes (sampled program counters). Prints one JSON line.
#include <signal.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <ucontext.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "Vtop.h"
#include "hx.h"
#include "verilated.h"

namespace {

struct Stream {
  unsigned ring;
  uint64_t count, next = 0;
  std::vector<char> rows;
};

std::string plusarg(const char* name, const char* otherwise) {
  const std::string match = Verilated::threadContextp()->commandArgsPlusMatch(name);
  const size_t equals = match.find('=');
  return equals == std::string::npos ? otherwise : match.substr(equals + 1);
}

[[noreturn]] void die(const std::string& why) {
  std::fprintf(stderr, "bare: %s\n", why.c_str());
  std::exit(2);
}

std::vector<Stream> load(const std::string& name) {
  std::FILE* file = std::fopen(name.c_str(), "rb");
  char magic[8];
  if (!file || std::fread(magic, 1, 8, file) != 8 || std::memcmp(magic, "HXSTIM1\0", 8) != 0)
    die("cannot read stimulus " + name);
  std::vector<Stream> streams;
  uint64_t head[2];
  while (std::fread(head, sizeof head, 1, file) == 1) {
    if (head[0] >= HX_RINGS) die("stimulus names an unknown ring");
    Stream s{static_cast<unsigned>(head[0]), head[1], 0, {}};
    s.rows.resize(s.count * hx_rings[s.ring].record_size);
    if (std::fread(s.rows.data(), 1, s.rows.size(), file) != s.rows.size()) die("stimulus is cut short");
    streams.push_back(std::move(s));
  }
  std::fclose(file);
  return streams;
}

void feed(Stream& s) {
  hx_ring_head& h = hx_rings[s.ring];
  while (s.next < s.count && h.wr - h.rd < h.capacity) {
    std::memcpy(reinterpret_cast<char*>(h.data) + (h.wr % h.capacity) * h.record_size, s.rows.data() + s.next * h.record_size,
                h.record_size);
    h.wr++;
    s.next++;
  }
}

bool pending(const std::vector<Stream>& streams) {
  for (const Stream& s : streams) {
    if (s.next < s.count || hx_rings[s.ring].wr != hx_rings[s.ring].rd) return true;
  }
  return hx_ctl.reads_open[0] || hx_ctl.reads_open[1] || hx_ctl.writes_open[0] || hx_ctl.writes_open[1];
}

double cpu_seconds() {
  rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_utime.tv_sec + usage.ru_utime.tv_usec * 1e-6 + usage.ru_stime.tv_sec + usage.ru_stime.tv_usec * 1e-6;
}

// Takes what the timed side wrote, as the untimed side would: one copy.
void drain(std::vector<char>& copy, std::FILE* cmds) {
  for (unsigned r = HX_RING_R0; r < HX_RINGS; r++) {
    if (r == HX_RING_APB_REQ) continue;
    hx_ring_head& h = hx_rings[r];
    while (h.rd != h.wr) {
      const uint64_t start = h.rd % h.capacity;
      const uint64_t count = std::min(h.wr - h.rd, h.capacity - start);
      const char* from = reinterpret_cast<char*>(h.data) + start * h.record_size;
      copy.assign(from, from + count * h.record_size);
      if (r == HX_RING_CMD && cmds) std::fwrite(copy.data(), h.record_size, count, cmds);
      h.rd += count;
    }
  }
}

// ---------------------------------------------------------------- sampling of the program counter

extern "C" char __executable_start;  // of the linker: symbols of a relocatable executable count from here

std::vector<uint64_t> samples;

void sample(int, siginfo_t*, void* context) {
#if defined(__x86_64__)
  const auto pc = static_cast<uint64_t>(static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_RIP]);
#elif defined(__aarch64__)
  const auto pc = static_cast<uint64_t>(static_cast<ucontext_t*>(context)->uc_mcontext.pc);
#else
  const uint64_t pc = 0;
#endif
  // No allocation inside a signal handler: what does not fit is not counted.
  if (samples.size() < samples.capacity()) samples.push_back(pc - reinterpret_cast<uint64_t>(&__executable_start));
}

void start_sampling() {
  samples.reserve(1 << 20);
  struct sigaction action {};
  action.sa_sigaction = sample;
  action.sa_flags = SA_SIGINFO | SA_RESTART;
  sigaction(SIGPROF, &action, nullptr);
  const itimerval every{{0, 997}, {0, 997}};  // microseconds of CPU time; not a divisor of anything periodic
  setitimer(ITIMER_PROF, &every, nullptr);
}

void save_samples(const std::string& name) {
  const itimerval never{};
  setitimer(ITIMER_PROF, &never, nullptr);
  std::FILE* file = std::fopen(name.c_str(), "wb");
  if (!file) die("cannot write " + name);
  std::fwrite(samples.data(), sizeof samples[0], samples.size(), file);
  std::fclose(file);
}

}  // namespace

int main(int argc, char** argv) {
  const auto context = std::make_unique<VerilatedContext>();
  context->commandArgs(argc, argv);
  Verilated::threadContextp(context.get());
  std::vector<Stream> streams = load(plusarg("stim=", ""));
  const uint64_t batch = std::strtoull(plusarg("batch=", "1024").c_str(), nullptr, 0);
  const uint64_t limit = std::strtoull(plusarg("limit=", "1000000000").c_str(), nullptr, 0);
  hx_ctl.seed = std::strtoull(plusarg("seed=", "0").c_str(), nullptr, 0);
  const std::string cmds_name = plusarg("cmds=", "");
  std::FILE* cmds = cmds_name.empty() ? nullptr : std::fopen(cmds_name.c_str(), "wb");
  context->traceEverOn(true);
  const auto top = std::make_unique<Vtop>(context.get());
  std::vector<char> copy;
  const std::string prof_name = plusarg("prof=", "");
  if (!prof_name.empty()) start_sampling();
  const double start = cpu_seconds();
  bool busy = true;
  while (busy && hx_ctl.cycle < limit && !context->gotFinish()) {
    for (Stream& s : streams) feed(s);
    const uint64_t until = context->time() + batch * 2 * 1000;  // 2 ns a cycle, time in ps
    while (context->time() < until && !context->gotFinish()) {
      top->eval();
      if (!top->eventsPending()) break;
      context->time(top->nextTimeSlot());
    }
    drain(copy, cmds);
    busy = pending(streams);
  }
  const double spent = cpu_seconds() - start;
  if (!prof_name.empty()) save_samples(prof_name);
  if (cmds) std::fclose(cmds);
  std::printf("{\"cycles\": %llu, \"cpu_s\": %.6f, \"commands\": %llu, \"reads\": %llu, \"writes\": %llu, \"errors\": %llu, "
              "\"sv_errors\": %d, \"finished\": %s}\n",
              static_cast<unsigned long long>(hx_ctl.cycle), spent, static_cast<unsigned long long>(hx_ctl.cmd_count),
              static_cast<unsigned long long>(hx_ctl.dev_reads), static_cast<unsigned long long>(hx_ctl.dev_writes),
              static_cast<unsigned long long>(hx_ctl.errors + hx_ctl.lost), context->errorCount(), busy ? "false" : "true");
  top->final();
  return busy || hx_ctl.errors || hx_ctl.lost || context->errorCount() ? 1 : 0;
}
