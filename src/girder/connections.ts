import { Agent, type Dispatcher } from 'undici';

/** The open connections to Girder that all runs share. */
export interface GirderConnections {
  /** `verifyTls` false: certificates are not checked, as a publisher may ask for job updates. */
  dispatcher(verifyTls: boolean): Dispatcher;
  close(): Promise<void>;
}

/** Connect within 10 s, answer begun within 60 s, and no silence of more than 120 s inside an answer. */
export function createGirderConnections(): GirderConnections {
  const agents = new Map<boolean, Agent>();
  return {
    dispatcher(verifyTls) {
      let agent = agents.get(verifyTls);
      if (agent === undefined) {
        agent = new Agent({
          connect: { timeout: 10_000, rejectUnauthorized: verifyTls },
          headersTimeout: 60_000,
          bodyTimeout: 120_000,
        });
        agents.set(verifyTls, agent);
      }
      return agent;
    },
    async close() {
      await Promise.all([...agents.values()].map(async (agent) => agent.destroy()));
      agents.clear();
    },
  };
}
