// All scenarios, in the order in which they run.

import { coordinatorScenario } from './coordinator.ts'
import { deliveryScenario } from './delivery.ts'
import { joiningScenario } from './joining.ts'
import type { Scenario } from './scenario.ts'
import { sessionScenario } from './session.ts'
import { swarmScenario } from './swarm.ts'

export const scenarios: readonly Scenario[] = [
  sessionScenario,
  deliveryScenario,
  coordinatorScenario,
  swarmScenario,
  joiningScenario,
]
