import { testThinClient } from './suite.ts';

testThinClient('typescript');
