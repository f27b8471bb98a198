import { testThinClient } from './suite.ts';

testThinClient('musl');
