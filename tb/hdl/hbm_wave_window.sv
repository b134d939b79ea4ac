// Writes waves of the test top between two CKs, when asked for by plusargs.
//
// +waves_file=NAME starts it, +waves_from=CK and +waves_to=CK (counted from the last reset release) limit it; +waves_resets=N lets N
// resets pass before, not counting those right after another. The end of the window ends the simulation, with a line that the runner
// takes as "stopped".

module hbm_wave_window (
  input longint unsigned cycle_i  // counts from the last reset release
);

  initial begin : window
    string           name;
    longint unsigned from, to;
    int              resets;
    if ($value$plusargs("waves_file=%s", name)) begin
      $dumpfile(name);
      if (!$value$plusargs("waves_from=%d", from)) from = 0;
      if (!$value$plusargs("waves_resets=%d", resets)) resets = 0;
      repeat (resets) begin
        wait (cycle_i >= 64);
        wait (cycle_i < 64);
      end
      wait (cycle_i >= from / 2);
      $dumpvars;
      if ($value$plusargs("waves_to=%d", to)) begin
        wait (cycle_i >= to / 2);
        $display("HBM_TB_STOPPED at CK %0d: end of the wave window", to);
        $finish;
      end
    end
  end

endmodule
