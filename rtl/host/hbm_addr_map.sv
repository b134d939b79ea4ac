// Maps a port's block address to the DRAM address: each DRAM bit is the XOR of the address bits that its mask selects.
//
// Enforces: rowRange.
//
// Combinational. `outside_o`: the row does not exist (dies of 3 x 2^n rows). The port looks at it for one block of a burst only:
// a legal burst stays in one 4 KiB page, and the row bits that decide against `row_limit` must be functions of address bits
// 12 and above, as in every map whose rows are at least 4 KiB of address space apart.

module hbm_addr_map
  import hbm_pkg::*;
(
  input  logic                 en_i,      // 0: the address is 0 (saves work where nothing is mapped)
  input  logic [MapInBits-1:0] block_i,   // port address / 32
  input  addr_map_t            map_i,
  output dram_addr_t           addr_o,
  output logic                 outside_o
);

  logic [MapOutBits-1:0] bits;

  always_comb begin
    bits = '0;
    if (en_i) for (int unsigned i = 0; i < MapOutBits; i++) bits[i] = ^(map_i.mask[i] & block_i);
  end

  assign addr_o = bits;
  assign outside_o = {1'b0, addr_o.row} >= map_i.row_limit;

endmodule
