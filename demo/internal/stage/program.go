package stage

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"
)

// Program is a demo: one executable for all of its processes.
type Program struct {
	Name    string        // in errors, and of the temporary folder
	Longest time.Duration // what takes longer counts as stuck

	// Run is what the process does that the user started. It ends when ctx does:
	// at Ctrl-C, or after Longest.
	Run func(ctx context.Context, s *Stage) error

	// Child is what each process does that Run starts. It ends when ctx does: when
	// the process is sent home, or the one that started it is gone.
	Child func(ctx context.Context, c *Child) error
}

// Main is the main function of the demo: it returns what to exit with, which is 1 if
// Run failed or one of its claims does not hold. With the flag -v the nodes' logs are
// shown.
func (p Program) Main() (code int) {
	if code, isChild := p.MainOfChild(); isChild {
		return code
	}
	flags := flag.NewFlagSet(p.Name, flag.ContinueOnError)
	verbose := flags.Bool("v", false, "show the nodes' logs")
	if err := flags.Parse(os.Args[1:]); errors.Is(err, flag.ErrHelp) {
		return 0
	} else if err != nil {
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, p.Longest)
	defer cancel()
	if err := p.Perform(ctx, Report{Out: os.Stdout, Colour: isTerminal(os.Stdout)}, *verbose); err != nil {
		fmt.Fprintln(os.Stderr, p.Name+":", err)
		return 1
	}
	return 0
}

// MainOfChild does what Main does in a process that [Stage.Start] has started, and
// returns false in any other. A test's main function must begin with it, since the
// children of a test are the test's own executable.
func (p Program) MainOfChild() (code int, isChild bool) {
	name := os.Getenv(nameEnv)
	if name == "" {
		return 0, false
	}
	signal.Ignore(os.Interrupt) // Ctrl-C is for the stage, which sends us home
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	c := newChild(name, Place{Dir: os.Getenv(dirEnv), verbose: os.Getenv(verboseEnv) != ""})
	go func() {
		defer cancel()
		c.listen(os.Stdin)
	}()
	err := p.Child(ctx, c)
	if err != nil && !(ctx.Err() != nil && errors.Is(err, context.Canceled)) {
		fmt.Fprintln(os.Stderr, name+":", err)
		return 1, true
	}
	return 0, true
}

// Perform calls Run once, with a temporary folder, and returns after all of its
// processes have ended and the folder is gone. It is an error if one of the claims in
// the report does not hold.
func (p Program) Perform(ctx context.Context, r Report, verbose bool) (err error) {
	dir, err := os.MkdirTemp("", "troupe-"+p.Name+"-")
	if err != nil {
		return err
	}
	s := &Stage{Place: Place{Dir: dir, verbose: verbose}, Report: r}
	defer func() { err = errors.Join(err, s.end(ctx)) }()
	if err := p.Run(ctx, s); err != nil {
		return err
	}
	if s.broken > 0 {
		return fmt.Errorf("%d claims do not hold", s.broken)
	}
	return nil
}

// isTerminal reports whether f is one that shows colours.
func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 &&
		runtime.GOOS != "windows" && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}
