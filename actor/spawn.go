package actor

import "strconv"

// Spawner starts actors: a [System] at the top, a handler's [Context] below its actor.
type Spawner interface {
	spawn(d *definition, config spawnConfig) (*cell, error)
}

// SpawnOption changes one Spawn.
type SpawnOption interface{ applySpawn(*spawnConfig) }

type spawnConfig struct {
	name   string
	unique bool
}

type spawnOption func(*spawnConfig)

func (f spawnOption) applySpawn(c *spawnConfig) { f(c) }

// WithName names the actor. Siblings have different names. The default is the
// name of its definition.
func WithName(name string) SpawnOption {
	return spawnOption(func(c *spawnConfig) { c.name = name })
}

// WithUniqueName appends a number to the name that nobody else has.
func WithUniqueName() SpawnOption {
	return spawnOption(func(c *spawnConfig) { c.unique = true })
}

// Spawn starts an actor and returns its Ref at once: messages wait until it has
// started. With a Context the actor becomes a child, which stops with its parent.
// It returns AlreadyExists if the name is taken, InvalidArgument if the definition
// or the name is not valid, or a message or reply could not travel and the definition is
// not [LocalOnly], and Unavailable if the system is stopping.
func Spawn[P any](by Spawner, d Definition[P], options ...SpawnOption) (Ref[P], error) {
	def, err := d.definition()
	if err != nil {
		return Ref[P]{}, err
	}
	c, err := by.spawn(def, newSpawnConfig(options))
	if err != nil {
		return Ref[P]{}, err
	}
	return Ref[P]{c}, nil
}

// Spawn starts an actor of any protocol at the top; see the function [Spawn].
func (s *System) Spawn(d Spawnable, options ...SpawnOption) (Address, error) {
	def, err := d.definition()
	if err != nil {
		return Address{}, err
	}
	c, err := s.spawn(def, newSpawnConfig(options))
	if err != nil {
		return Address{}, err
	}
	return Address{c}, nil
}

func newSpawnConfig(options []SpawnOption) spawnConfig {
	var config spawnConfig
	for _, o := range options {
		o.applySpawn(&config)
	}
	return config
}

func (s *System) spawn(d *definition, config spawnConfig) (*cell, error) {
	return s.launch(nil, d, config)
}

func (c *Context) spawn(d *definition, config spawnConfig) (*cell, error) {
	if c.in.ended() {
		return nil, notRun(Unavailable, "%s is stopping, and starts no children", c.in.cell)
	}
	return c.in.cell.system.launch(c.in, d, config)
}

func (s *System) launch(parent *incarnation, d *definition, config spawnConfig) (*cell, error) {
	if !d.localOnly {
		if err := s.checkTable(d.name, d.table); err != nil {
			return nil, err
		}
	}
	c, err := s.register(parent, d, config)
	if err != nil {
		return nil, err
	}
	if parent != nil {
		parent.cell.addChild(c)
	}
	if err := c.process.Launch(); err != nil {
		if parent != nil {
			parent.cell.ChildEnded(c.id)
		}
		s.forget(c)
		return nil, Errorf(Internal, "%s did not start: %w", c, err)
	}
	return c, nil
}

// register takes the path, so that it is nobody else's.
func (s *System) register(parent *incarnation, d *definition, config spawnConfig) (*cell, error) {
	name := config.name
	if name == "" {
		name = d.name
	}
	if config.unique {
		name += "-" + strconv.FormatUint(s.nextUID()&(1<<24-1), 36)
	}
	if err := validateName(name); err != nil {
		return nil, err
	}
	above := ""
	if parent != nil {
		above = parent.cell.path
	}
	path, err := joinPath(above, name)
	if err != nil {
		return nil, err
	}
	c, err := newCell(s, parent, d, path, name)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing {
		return nil, notRun(Unavailable, "the system is stopping; %s was not started", path)
	}
	if s.cells[path] != nil {
		return nil, Errorf(AlreadyExists, "there is an actor %q already; end it, or give this one another name, such as with actor.WithName or actor.WithUniqueName", path)
	}
	s.cells[path] = c
	return c, nil
}
