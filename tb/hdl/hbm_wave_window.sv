// Writes waves of the test top between two CKs, when asked for by plusargs.
//
// +waves_file=NAME starts it, +waves_from=CK and +waves_to=CK (counted from reset release) limit it. The end of the window
// ends the simulation, with a line that the runner takes as "stopped".

module hbm_wave_window (
  input logic rst_ni
);

  initial begin : window
    string       name;
    longint      from, to;
    if ($value$plusargs("waves_file=%s", name)) begin
      $dumpfile(name);
      if (!$value$plusargs("waves_from=%d", from)) from = 0;
      if (from > 0) begin
        @(posedge rst_ni);
        #(from);
      end
      $dumpvars;
      if ($value$plusargs("waves_to=%d", to)) begin
        if (from == 0) @(posedge rst_ni);
        #(to - from);
        $display("HBM_TB_STOPPED at CK %0d: end of the wave window", to);
        $finish;
      end
    end
  end

endmodule
