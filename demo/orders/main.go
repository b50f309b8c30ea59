package main

import (
	"os"
	"time"

	"github.com/troupe-go/troupe/demo/internal/stage"
)

func main() { os.Exit(program().Main()) }

func program() stage.Program {
	return stage.Program{Name: "orders", Longest: 2 * time.Minute, Run: run, Child: work}
}
