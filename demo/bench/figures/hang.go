//go:build unix

package main

import (
	"context"
	"fmt"
	"os/exec"
	"strconv"
	"syscall"
	"time"
)

// hang delays every sync of the leader's disk, and measures how long the others cannot
// write.
func hang(ctx context.Context, s *series, b *build) error {
	if _, err := exec.LookPath("strace"); err != nil {
		return nil // the table says so
	}
	delay := time.Duration(s.pick(45, 20)) * time.Second
	c, err := s.newNodes(ctx, b, 3)
	if err != nil {
		return err
	}
	defer c.close()
	leader := c.leader(ctx)
	if leader < 0 {
		return fmt.Errorf("nobody leads")
	}
	tracer := exec.Command("strace", "-f", "-o", "/dev/null", "-p", strconv.Itoa(c.running[leader].cmd.Process.Pid),
		"-e", "trace=fsync,fdatasync,msync", "-e", fmt.Sprint("inject=fsync,fdatasync,msync:delay_enter=", delay.Microseconds()))
	if err := tracer.Start(); err != nil {
		return err
	}
	defer func() {
		_ = tracer.Process.Signal(syscall.SIGINT)
		_ = tracer.Wait() // it was interrupted
	}()
	time.Sleep(time.Second) // until it has attached itself to all threads
	hung := time.Now()
	row := s.row("others can write again, when the leader's disk hangs", "s", longest, atMost(10))
	took := make([]float64, len(c.running))
	writing, cancel := context.WithTimeout(ctx, 2*delay)
	defer cancel()
	err = c.each(func(i int, p *process) error {
		if i == leader {
			return nil
		}
		err := command(writing, p, "ready")
		took[i] = time.Since(hung).Seconds()
		return err
	})
	s.add(row, longest(took))
	if err != nil {
		s.remark(row, "not at all while this was measured: %v", err)
	}
	s.remark(row, "each sync took %v; node %d led", delay, leader)
	return nil
}
