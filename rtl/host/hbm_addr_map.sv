// Maps a port's block address to the DRAM address: each DRAM bit is the XOR of the address bits that its mask selects (M2.1, M2.6).

module hbm_addr_map
  import hbm_pkg::*;
(
  input  logic                                 en_i,     // 0: the address is 0 (saves work where nothing is mapped)
  input  logic [MapInBits-1:0]                 block_i,  // port address / 32
  input  logic [MapOutBits-1:0][MapInBits-1:0] mask_i,
  output dram_addr_t                           addr_o
);

  logic [MapOutBits-1:0] bits;

  always_comb begin
    bits = '0;
    if (en_i) for (int unsigned i = 0; i < MapOutBits; i++) bits[i] = ^(mask_i[i] & block_i);
  end

  assign addr_o = bits;

endmodule
