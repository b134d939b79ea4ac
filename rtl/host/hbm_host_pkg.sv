// Sizes and the checked-burst type of the AXI port (M2).

package hbm_host_pkg;

  import hbm_pkg::*;

  localparam int unsigned ArDepth = 4;    // read bursts accepted ahead of the splitter, normal lane
  localparam int unsigned ArExpressDepth = 2;  // likewise, express lane
  localparam int unsigned ExpressRun = 8; // express requests that may pass a normal one
  localparam int unsigned AwDepth = 8;    // write bursts accepted ahead of their data
  localparam int unsigned BDepth = 16;    // write bursts between AW and B handshake
  localparam int unsigned NumExcl = 8;    // exclusive monitors per port
  localparam int unsigned LatencyBins = 8;  // of the latency histogram: below 16, 32 ... 1024 cycles, and the rest

  localparam int unsigned BlockBytes = AxiDataWidth / 8;         // bytes of a request
  localparam int unsigned OffWidth = $clog2(BlockBytes);         // byte within a request
  localparam int unsigned PortAddrWidth = MapInBits + OffWidth;  // byte address within one PC
  localparam int unsigned PageWidth = 12;                        // no legal burst leaves its 4 KiB page
  localparam int unsigned BlockWidth = PageWidth - OffWidth;     // block within the page

  // A burst after the static checks. `len` counts beats minus one, as AxLEN.
  typedef struct packed {
    logic [AxiIdWidth-1:0]    id;
    logic [PortAddrWidth-1:0] addr;
    logic [7:0]               len;
    logic [2:0]               size;
    logic [1:0]               burst;
    logic [3:0]               qos;
    logic                     excl;       // AxLOCK
    logic                     excl_ok;    // of the shape that a monitor can watch
    logic                     slverr;     // illegal burst
    logic                     decerr;     // outside the memory
    logic                     one_block;  // all beats lie in one 32-byte block (FIXED, or WRAP of at most 32 bytes)
    logic [8:0]               wrap_mask;  // WRAP: total bytes minus one
  } burst_t;

  // What a reorder slot keeps of the beats that it answers.
  typedef struct packed {
    logic                  error;  // no data will arrive
    logic [AxiIdWidth-1:0] id;
    logic [7:0]            beats;  // R beats minus one
    logic                  last;   // the last of these beats ends the burst
    axi_resp_e             resp;
  } slot_take_t;

  // Bits of the offset that move within a beat: size in bytes minus one.
  function automatic logic [OffWidth-1:0] size_mask(input logic [2:0] size);
    return OffWidth'((32'd1 << size) - 32'd1);
  endfunction

endpackage
