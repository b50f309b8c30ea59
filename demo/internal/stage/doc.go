// Package stage is what the demos that need several processes have in common, so that
// each of them shows what it is about and little else. It is no part of Troupe.
//
// A demo is a [Program]. The user starts it once; that process has a [Stage], and starts
// itself again for each other process that the demo needs, any of which it may kill:
//
//	func main() { os.Exit(program().Main()) }
//
//	func program() stage.Program {
//		return stage.Program{Name: "bank", Longest: time.Minute, Run: run, Child: keepBank}
//	}
//
//	// run is what happens in the process that the user started.
//	func run(ctx context.Context, s *stage.Stage) error {
//		node, err := s.Join(ctx, "customers")
//		if err != nil {
//			return err
//		}
//		defer stage.Leave(node)
//		bank, err := s.Start("bank")
//		if err != nil {
//			return err
//		}
//		if err := bank.Ready(ctx); err != nil {
//			return err
//		}
//		...
//		bank.Kill() // as by kill -9
//		...
//		s.Claim(before == after, "the accounts hold %d, as before", after)
//		return nil
//	}
//
//	// keepBank is the life of the process "bank".
//	func keepBank(ctx context.Context, c *stage.Child) error {
//		node, err := c.Join(ctx)
//		if err != nil {
//			return err
//		}
//		defer stage.Leave(node)
//		...
//		c.Ready()
//		<-ctx.Done() // until it is sent home
//		return nil
//	}
//
// The processes of a run share a temporary folder, by which their nodes meet each other
// and nobody else's. When the run ends, however it ends, its processes are killed and the
// folder is removed. A child also ends when the process that started it is gone.
package stage
