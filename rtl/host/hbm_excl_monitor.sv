// Exclusive monitors of one port: which exclusive reads may still be followed by a successful exclusive write (M2.7).
//
// One monitor per id, NumExcl at a time; with all in use a new one replaces them in turn (its owner's write then fails, which
// AXI allows). A write processed in the cycle of an arming exclusive read is older than the read, so arming wins.

module hbm_excl_monitor
  import hbm_pkg::*;
  import hbm_host_pkg::*;
(
  input  logic                    clk_i,
  input  logic                    rst_ni,

  input  logic                    arm_i,
  input  burst_t                  arm_burst_i,

  input  burst_t                  check_burst_i,
  output logic                    match_o,        // same id, address, length, size and burst type
  input  logic                    release_i,      // the matching monitor is used up

  input  logic                    write_i,        // bytes are written
  input  logic [MapInBits-1:0]    block_i,
  input  logic [AxiStrbWidth-1:0] strb_i
);

  localparam int unsigned IdxWidth = $clog2(NumExcl);

  // What must be repeated by the exclusive write.
  typedef struct packed {
    logic [AxiIdWidth-1:0]    id;
    logic [PortAddrWidth-1:0] addr;
    logic [7:0]               len;
    logic [2:0]               size;
    logic [1:0]               burst;
  } key_t;

  key_t                    key_q [NumExcl];
  logic [AxiStrbWidth-1:0] bytes_q [NumExcl];       // watched bytes of a block
  logic [1:0]              block_mask_q [NumExcl];  // block address bits that vary within the watched bytes
  logic [NumExcl-1:0]      valid_q;
  logic [NumExcl-1:0]      valid_d;
  logic                    any_q;         // a monitor is, or was a cycle ago, armed: else there is nothing to compare
  logic [IdxWidth-1:0]     turn_q;        // replaced next

  key_t                    arm_key;
  key_t                    check_key;
  logic [6:0]              span;          // watched bytes minus one
  logic [OffWidth-1:0]     arm_top;
  logic [NumExcl-1:0]      match;
  logic [NumExcl-1:0]      touched;
  logic [NumExcl-1:0]      same_id;
  logic [IdxWidth-1:0]     arm_idx;
  logic                    replace;
  logic                    unused_arm;
  logic                    unused_check;

  assign arm_key = '{id: arm_burst_i.id, addr: arm_burst_i.addr, len: arm_burst_i.len, size: arm_burst_i.size,
                     burst: arm_burst_i.burst};
  assign check_key = '{id: check_burst_i.id, addr: check_burst_i.addr, len: check_burst_i.len, size: check_burst_i.size,
                       burst: check_burst_i.burst};
  assign unused_arm = ^arm_burst_i;
  assign unused_check = ^check_burst_i;

  // A legal shape is aligned to its total, so the watched bytes are one aligned range of 1 to 128 bytes. For a FIXED burst this
  // is more than its bytes, which costs at most a needless failure.
  assign span = arm_burst_i.wrap_mask[6:0];
  assign arm_top = arm_burst_i.addr[OffWidth-1:0] | span[OffWidth-1:0];

  always_comb begin
    match = '0;
    touched = '0;
    same_id = '0;
    if (any_q) begin
      for (int unsigned i = 0; i < NumExcl; i++) begin
        match[i] = valid_q[i] && key_q[i] == check_key;
        same_id[i] = valid_q[i] && key_q[i].id == arm_key.id;
        touched[i] = valid_q[i] && (strb_i & bytes_q[i]) != '0 &&
                     ((block_i ^ key_q[i].addr[PortAddrWidth-1:OffWidth]) & ~MapInBits'(block_mask_q[i])) == '0;
      end
    end
  end

  assign match_o = match != '0;

  // The id's own monitor, else the free one with the lowest number, else the next in turn.
  always_comb begin
    arm_idx = turn_q;
    for (int unsigned i = 0; i < NumExcl; i++) if (!valid_q[NumExcl-1-i]) arm_idx = IdxWidth'(NumExcl - 1 - i);
    for (int unsigned i = 0; i < NumExcl; i++) if (same_id[i]) arm_idx = IdxWidth'(i);
  end
  assign replace = same_id == '0 && (&valid_q);

  always_comb begin
    valid_d = valid_q & ~(write_i ? touched : '0) & ~(release_i ? match : '0);
    if (arm_i) valid_d[arm_idx] = 1'b1;
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      valid_q <= '0;
      any_q   <= 1'b0;
      turn_q  <= '0;
    end else begin
      valid_q <= valid_d;
      any_q   <= arm_i || valid_q != '0;
      if (arm_i && replace) turn_q <= turn_q + IdxWidth'(1);
    end
  end

  always_ff @(posedge clk_i) begin
    if (arm_i) begin
      key_q[arm_idx]        <= arm_key;
      bytes_q[arm_idx]      <= ('1 << arm_burst_i.addr[OffWidth-1:0]) & ('1 >> ~arm_top);
      block_mask_q[arm_idx] <= span[6:OffWidth];
    end
  end

endmodule
