// Keeps the data of picked writes until their time and puts it on the DFI.
//
// Contract: M8.2. A write registered on the column bus in cycle C has its data on the DFI in cycle C + 1 + floor((Pc + WL) / 2), first
// half in phase (Pc + WL) mod 2. At most WrPathDepth picked writes wait; beyond that no write is picked.

module hbm_wr_path
  import hbm_geometry_pkg::*;
  import hbm_pkg::*;
  import hbm_sched_pkg::*;
#(
  /// Phase of the column commands of this PC, 0 or 1.
  parameter int unsigned Pc = 0
) (
  input logic clk_i,
  input logic rst_ni,

  input  logic [7:0] wl_i,      // CK
  input  logic       pick_i,    // a write is picked
  output logic       ready_o,   // room for one more

  // Contents of the write, one cycle after the pick: the cycle C in which the command is on the column bus.
  input logic                    valid_i,
  input logic [AxiDataWidth-1:0] data_i,
  input logic [AxiStrbWidth-1:0] strb_i,

  output dfi_wr_t dfi_o,
  output logic    empty_o
);

  localparam int unsigned PtrWidth = $clog2(WrPathDepth);
  localparam int unsigned MaxDelay = (255 + 1) / 2;

  typedef struct packed {
    logic [AxiDataWidth-1:0] data;
    logic [AxiStrbWidth-1:0] strb;
  } word_t;

  logic [8:0] first;  // CK from p0 of the DFI cycle of the command to the first data
  logic       odd, fire_now;
  assign first = 9'(wl_i) + 9'(Pc);
  assign odd   = first[0];
  assign fire_now = first[8:1] == '0;

  // ---------------------------------------------------------------- words that wait
  word_t               mem_q [WrPathDepth];
  logic [PtrWidth-1:0] in_q, out_q;
  logic [PtrWidth:0]   picked_q;  // picked and not yet sent
  logic                fire;
  word_t               head;

  // With a latency of less than 2 CK a word leaves in the cycle in which it comes.
  assign head = (in_q == out_q && valid_i && fire_now) ? '{data: data_i, strb: strb_i} : mem_q[out_q];

  always_ff @(posedge clk_i) begin
    if (valid_i) mem_q[in_q] <= '{data: data_i, strb: strb_i};
  end

  // ---------------------------------------------------------------- time
  logic [MaxDelay-1:0] line_q;  // bit i: a write was on the column bus i+1 cycles ago
  assign fire     = fire_now ? valid_i : line_q[7'(first[8:1] - 8'd1)];

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      line_q <= '0;
      in_q <= '0;
      out_q <= '0;
      picked_q <= '0;
    end else begin
      // Empty, the line is cleared: a longer latency must not find old bits.
      if (picked_q != '0) line_q <= {line_q[MaxDelay-2:0], valid_i};
      else if (line_q != '0) line_q <= '0;
      in_q <= in_q + PtrWidth'(valid_i);
      out_q <= out_q + PtrWidth'(fire);
      picked_q <= picked_q + (PtrWidth + 1)'(pick_i) - (PtrWidth + 1)'(fire);
    end
  end

  // ---------------------------------------------------------------- DFI
  logic                  tail_q;  // the second half goes to p0 of this cycle
  logic [PhaseBits-1:0]  tail_data_q;
  logic [PhaseBytes-1:0] tail_strb_q;
  logic [1:0]            en_q;
  logic [1:0][PhaseBits-1:0]  dq_q;
  logic [1:0][PhaseBytes-1:0] mask_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      tail_q <= 1'b0;
      en_q <= '0;
    end else begin
      tail_q <= fire & odd;
      en_q <= {fire, odd ? tail_q : fire};
    end
  end

  always_ff @(posedge clk_i) begin
    if (odd && tail_q) begin
      dq_q[0] <= tail_data_q;
      mask_q[0] <= ~tail_strb_q;
    end
    if (fire) begin
      if (odd) begin
        dq_q[1] <= head.data[PhaseBits-1:0];
        mask_q[1] <= ~head.strb[PhaseBytes-1:0];
        tail_data_q <= head.data[AxiDataWidth-1:PhaseBits];
        tail_strb_q <= head.strb[AxiStrbWidth-1:PhaseBytes];
      end else begin
        dq_q <= head.data;
        mask_q <= ~head.strb;
      end
    end
  end

  assign dfi_o   = '{en: en_q, data: dq_q, mask: mask_q};
  assign ready_o = !picked_q[PtrWidth];
  assign empty_o = picked_q == '0 && !tail_q;

`ifndef SYNTHESIS
  NoWriteDataOverflow_A: assert property (@(posedge clk_i) disable iff (!rst_ni) pick_i |-> ready_o);
  WriteDataThere_A: assert property (@(posedge clk_i) disable iff (!rst_ni) fire |-> picked_q != '0);
`endif

endmodule
