// Block bench of the timed side's HBM device: cocotb drives the pins directly, so that every complaint of the device can be provoked.
//
// Pins are set on falling clock edges: what stands there at the next rising edge is the word of that cycle.

module blk_device
  import hbm_geometry_pkg::*;
  import hbm_pkg::*;
  import hbm_tb_pkg::*;
(
  input logic clk_i,
  input logic rst_ni
);

  // [2 * phase + edge] and [2 * PC + phase].
  logic [3:0][RowPins-1:0]    row_drv /* verilator public_flat_rw */;
  logic [3:0][ColPins-1:0]    col_drv /* verilator public_flat_rw */;
  logic [3:0]                 apar_drv /* verilator public_flat_rw */;
  logic [1:0]                 cke_drv /* verilator public_flat_rw */;
  logic                       ck_en_drv /* verilator public_flat_rw */;
  logic                       reset_n_drv /* verilator public_flat_rw */;
  logic [3:0]                 oe_drv /* verilator public_flat_rw */;
  logic [3:0][PhaseBits-1:0]  dq_drv /* verilator public_flat_rw */;
  logic [3:0][PhaseBytes-1:0] dm_drv /* verilator public_flat_rw */;
  logic                       rst_drv /* verilator public_flat_rw */;  // 1: the bench itself starts anew
  logic [3:0][PhaseBits-1:0]  read_dq /* verilator public_flat_rd */;
  logic [31:0]                cycle /* verilator public_flat_rd */;

  initial rst_drv = 1'b1;

  logic            rst_n;
  longint unsigned cycle_q;
  assign rst_n = rst_ni && !rst_drv;
  assign cycle = cycle_q[31:0];

  always @(posedge rst_n) hx_reset();

  always_ff @(posedge clk_i or negedge rst_n) begin
    if (!rst_n) cycle_q <= '0;
    else        cycle_q <= cycle_q + 1;
  end

  pins_out_t pins;
  pins_in_t  back;

  always_comb begin
    pins = '0;
    pins.cmd.cke     = cke_drv;
    pins.cmd.ck_en   = ck_en_drv;
    pins.cmd.reset_n = reset_n_drv;
    pins.cmd.arfu    = '1;
    for (int unsigned p = 0; p < 2; p++) begin
      for (int unsigned f = 0; f < 2; f++) begin
        pins.cmd.row[p][f]  = row_drv[2*p+f];
        pins.cmd.col[p][f]  = col_drv[2*p+f];
        pins.cmd.apar[p][f] = apar_drv[2*p+f];
      end
      for (int unsigned pc = 0; pc < NumPcs; pc++) begin
        pins.wr[pc].oe[p] = oe_drv[2*pc+p];
        pins.wr[pc].dq[p] = dq_drv[2*pc+p];
        pins.wr[pc].dm[p] = dm_drv[2*pc+p];
        read_dq[2*pc+p]   = back.rd[pc].dq[p];
      end
    end
  end

  pin_valid_t     valid;
  pin_cmd_t [3:0] row;
  pin_cmd_t [1:0] col;
  logic           flip;

  hbm_device u_device (
    .clk_i, .rst_ni(rst_n), .cycle_i(cycle_q), .flip_i(flip), .alert_i('0), .pins_i(pins), .pins_o(back), .valid_o(valid), .row_o(row),
    .col_o(col)
  );

  hbm_recorder u_recorder (
    .clk_i, .rst_ni(rst_n), .cycle_i(cycle_q), .valid_i(valid), .row_i(row), .col_i(col), .flip_o(flip)
  );

endmodule
