// Holds data and strobes of the queued writes; a picked entry is read in the cycle after its pick (M3.5, M8.2).
//
// The entry is free at its pick: a new write may fill it in the cycle of the read, which still sees the old contents.

module hbm_wr_buffer
  import hbm_geometry_pkg::*;
  import hbm_pkg::*;
  import hbm_sched_pkg::*;
(
  input logic clk_i,
  input logic rst_ni,

  input logic                    ins_i,
  input wr_vec_t                 ins_slot_i,   // one-hot
  input logic [AxiDataWidth-1:0] ins_data_i,
  input logic [AxiStrbWidth-1:0] ins_strb_i,

  // Read-modify-write: bytes that the write does not bring.
  input logic                    merge_i,
  input logic [WrIdxWidth-1:0]   merge_idx_i,
  input logic [AxiDataWidth-1:0] merge_data_i,

  input  wr_vec_t                 pick_i,      // one-hot or zero
  output logic                    valid_o,     // one cycle after the pick
  output logic [AxiDataWidth-1:0] data_o,
  output logic [AxiStrbWidth-1:0] strb_o,

  // Data of an entry for a read (M3.6).
  input  wr_vec_t                 copy_slot_i, // one-hot or zero
  output logic [AxiDataWidth-1:0] copy_data_o
);

  logic [AxiDataWidth-1:0] data_q [WrDepth];
  logic [AxiStrbWidth-1:0] strb_q [WrDepth];
  logic                    valid_q;
  logic [WrIdxWidth-1:0]   idx_q;

  function automatic logic [WrIdxWidth-1:0] index_of(input wr_vec_t onehot);
    logic [WrIdxWidth-1:0] idx;
    idx = '0;
    for (int unsigned i = 0; i < WrIdxWidth; i++) begin
      for (int unsigned e = 0; e < WrDepth; e++) if (((e >> i) & 1) != 0) idx[i] |= onehot[e];
    end
    return idx;
  endfunction

  logic [AxiDataWidth-1:0] merged;
  always_comb begin
    merged = '0;
    if (merge_i) begin
      for (int unsigned b = 0; b < AxiStrbWidth; b++) begin
        merged[8*b+:8] = strb_q[merge_idx_i][b] ? data_q[merge_idx_i][8*b+:8] : merge_data_i[8*b+:8];
      end
    end
  end

  always_ff @(posedge clk_i) begin
    if (ins_i) begin
      data_q[index_of(ins_slot_i)] <= ins_data_i;
      strb_q[index_of(ins_slot_i)] <= ins_strb_i;
    end
    if (merge_i) data_q[merge_idx_i] <= merged;
    if (pick_i != '0) idx_q <= index_of(pick_i);
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) valid_q <= 1'b0;
    else valid_q <= pick_i != '0;
  end

  always_comb begin
    copy_data_o = '0;
    if (copy_slot_i != '0) begin
      for (int unsigned e = 0; e < WrDepth; e++) copy_data_o |= {AxiDataWidth{copy_slot_i[e]}} & data_q[e];
    end
  end

  assign valid_o = valid_q;
  assign data_o  = data_q[idx_q];
  assign strb_o  = HasDataMask ? strb_q[idx_q] : '1;  // without mask pins a write is complete when it is picked

endmodule
