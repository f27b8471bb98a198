import { testThinClient } from './suite.ts';

testThinClient('dynamic');
