// Wires that bring every change later, by a time that may change.

// verilator tracing_off
module ddr_wire #(
  parameter int unsigned Width = 1
) (
  input  int unsigned      late_ps_i,
  input  logic [Width-1:0] in_i,
  output logic [Width-1:0] out_o
);

  initial out_o = '0;

  // One ps is there always, so that all wires of a loop are alike.
  always @(in_i) out_o <= #(real'(late_ps_i + 1) / 1000.0) in_i;

endmodule
// verilator tracing_on
